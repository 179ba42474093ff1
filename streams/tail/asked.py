"""Which receipts somebody asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from schemas.receipt import Receipt

Kind = Literal["attempt", "terminal"]
Outcome = Literal["delivered", "failed", "suppressed", "expired"]
KINDS: tuple[str, ...] = get_args(Kind)
OUTCOMES: tuple[str, ...] = get_args(Outcome)

#: Inclusive.
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """A receipt is asked for when each part that says something has its value in it. `since`: milliseconds, compared
    with the receipt's own `at`.
    """

    partners: frozenset[str] = frozenset()
    postbacks: frozenset[str] = frozenset()
    apps: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()
    statuses: tuple[Range, ...] = ()
    since: int | None = None

    def wants(self, receipt: Receipt) -> bool:
        """Whether it is one of those."""
        asked = (
            (self.partners, receipt.partner),
            (self.postbacks, receipt.postback_id),
            (self.apps, receipt.app_id),
            (self.events, receipt.event),
            (self.outcomes, receipt.outcome),
            (self.kinds, receipt.kind),
            (self.jobs, receipt.job_id),
            (self.records, receipt.record_id),
        )
        if any(wanted and value not in wanted for wanted, value in asked):
            return False
        if self.since is not None and receipt.at < self.since:
            return False
        return not self.statuses or _within(receipt.status, self.statuses)


def _within(status: int | None, ranges: Iterable[Range]) -> bool:
    return status is not None and any(low <= status <= high for low, high in ranges)


_receipt = msgspec.json.Decoder(Receipt)


def read(value: bytes | None) -> Receipt | str:
    """The receipt in a record's value, or why it is none."""
    if value is None:
        return "the value is null"
    try:
        return _receipt.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
