"""Receipts (contract §7): one record for each attempt and one terminal record for each job; flat JSON."""

from __future__ import annotations

from typing import Literal

import msgspec


class Receipt(msgspec.Struct, gc=False):
    """What became of an attempt or of a whole job. `at` and `next_at` are milliseconds; `response` at most 4 KiB of the
    answer's body.

    Attempt: `outcome` is `delivered` or `failed`. Terminal: `delivered`, `failed`, `suppressed` or `expired`. `error`
    is a short code (`timeout`, `connect`, `tls`, `blocked`, `status`, `shadow`, `partner_removed` …) with an optional
    `: detail`.
    """

    kind: Literal["attempt", "terminal"]
    job_id: str
    postback_id: str
    partner: str
    app_id: str
    event: str
    record_id: str
    attempt: int
    outcome: Literal["delivered", "failed", "suppressed", "expired"]
    status: int | None
    error: str | None
    at: int
    next_at: int | None
    duration_ms: float | None
    address: str | None
    response: str | None
    generation: int
    replay: bool
