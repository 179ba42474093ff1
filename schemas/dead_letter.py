"""Dead letters (contract §2, §3): input that cannot be read, and jobs whose attempts are used up, with the reason; and
what operators did with them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

#: Every reason there is, with what it means; the metric's label and the docs read this table.
REASONS: dict[str, str] = {
    "undecodable": "the value is not JSON (or not of the source's format)",
    "null": "the value is null (a tombstone)",
    "invalid": "a required field is missing or a field has the wrong type",
    "no_identifier": "none of the identifiers of the app's device_key order is present",
    "time": "the record's own time lies before 2000 or more than a day after its append time",
    "too_large": "the record, an id or name in it, its job or its device's state is larger than the limit",
    "internal": "a rule raised an error; the record changed nothing",
    "attempts_used_up": "the partner refused, or could not be reached, as often as the postback allows",
    "no_retry_status": "the partner answered a status that is configured as final",
    "unsendable": "the request could not be put on the wire: a deferred part or the address is not usable",
    "poison": "a record of a delivery topic that is not a job, or is one with absurd values",
}

#: Those of jobs; the others are of input records.
JOB_REASONS = ("attempts_used_up", "no_retry_status", "unsendable", "poison")


class DeadLetter(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A record that could not be used, with its place and raw bytes (base64 in JSON; very large ones are cut, and
    `detail` says so).
    """

    kind: Literal["input", "job"]
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    at: int
    key: bytes | None = None
    value: bytes | None = None
    job_id: str | None = None
    postback_id: str | None = None
    partner: str | None = None
    app_id: str | None = None
    event: str | None = None
    status: int | None = None


class Note(msgspec.Struct, kw_only=True, gc=False):
    """What an operator did with dead letters of the same partition that lie before it: they are replayed, or purged,
    and open no longer.

    `offsets` are theirs, in runs of a first and a last one, both included. `by` is who did it, on which machine. What
    was replayed is written in the transaction that has the note, so it is written once. Who reads the dead letters
    leaves records of this kind out.
    """

    kind: Literal["note"]
    done: Literal["replayed", "purged"]
    offsets: tuple[tuple[int, int], ...]
    at: int
    by: str
