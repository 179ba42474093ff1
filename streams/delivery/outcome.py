"""What one attempt came to, as the wire reports it. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

#: `answer`: the partner answered with a status. `failure`: it could not be reached, or not understood, in time.
#: `ours`: the fault is on this side and no attempt is charged. `blocked`: its address may not be dialled.
#: `unsendable`: the request cannot be put on the wire at all.
Kind = Literal["answer", "failure", "ours", "blocked", "unsendable"]


class Outcome(NamedTuple):
    """`error` is a short code with an optional `: detail`, as in a receipt; `response` at most 4 KiB of the answer's
    body.
    """

    kind: Kind
    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    duration_ms: float | None = None
    connected_ms: float | None = None
    address: str | None = None
    response: str | None = None
