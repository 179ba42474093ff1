"""What one attempt came to, as the wire reports it. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

#: `answer`: the partner answered with a status. `failure`: it could not be reached, or not understood, in time.
#: `ours`: the fault is on this side and no attempt is charged. `blocked`: its address may not be dialled.
#: `unsendable`: the request cannot be put on the wire at all.
Kind = Literal["answer", "failure", "ours", "blocked", "unsendable"]


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """`error` is a short code with an optional `: detail`, as in a receipt; `response` at most 4 KiB of the answer's
    body; `address` the one that was connected to.

    Durations are in milliseconds, None where there was none or it never came to an end: looking the name up
    (`dns_ms`; None too when it is an address or was looked up lately), connecting, agreeing on TLS, from the written
    request to the first byte of the answer, and everything (`duration_ms`). On a `reused` connection there are only
    the last two. `headers` are those of the answer, when the wire was asked for them.
    """

    kind: Kind
    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    duration_ms: float | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    reused: bool = False
    address: str | None = None
    response: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
