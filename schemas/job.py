"""A postback job: one request that is due at a partner (contract §7), from the worker to the sender and through the
delay topics.

The worker renders what it knows; a job carries literal text and the few deferred parts that only the sender can finish:
the attempt, the moment of sending, and secrets with what is computed from them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

#: Where a piece of text stands, hence how it is encoded: percent-encoded in a path or query, as is in a header or text
#: body, escaped inside a JSON string, percent-encoded in a form body.
Place = Literal["path", "query", "header", "text", "json", "form"]


class Deferred(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A part the sender finishes: `base` is a macro (`attempt`, `now`), a text that may hold secret references, or a
    value.

    `modifiers` are `(name, argument)` pairs applied in order before encoding for `place`; an argument may hold secret
    references.
    """

    kind: Literal["macro", "text", "value"]
    base: str | int | float | bool
    modifiers: tuple[tuple[str, str | None], ...]
    place: Place


#: Literal text (already encoded for its place) or a deferred part.
Part = str | Deferred


class Request(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An HTTP request whose parts join to `url`, each header's value and `body` (None: no body)."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
    url: tuple[Part, ...]
    headers: tuple[tuple[str, tuple[Part, ...]], ...] = ()
    body: tuple[Part, ...] | None = None


class Job(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One postback that was decided. The same input gives the same `job_id`, for ever.

    `due_at` is when the next attempt is due, never earlier; `attempts` is how many have been charged; `retry_attempts`
    how many redeliveries may follow the first attempt. `generation` is the configuration that decided it. `replay` says
    that an operator has it sent again after it had ended, at `replayed_at`: its age counts from then on, and reports
    count it no more. `reserved` is the sender's: `due_at` is the time at which the partner's lane has a slot for
    it. `day` is the UTC day of the input record's own time, in days since 1970, and `campaign_id` and
    `campaign_name` are its attribution's as `schemas.report.cut` leaves them: reports count by these.
    """

    job_id: str
    postback_id: str
    partner: str
    app_id: str
    event: str
    record_id: str
    device_key: str
    generation: int
    decided_at: int
    due_at: int
    max_age: int
    retry_attempts: int
    request: Request
    attempts: int = 0
    shadow: bool = False
    replay: bool = False
    replayed_at: int = 0
    reserved: bool = False
    day: int = 0
    campaign_id: str | None = None
    campaign_name: str | None = None
