"""Which dead letters are meant. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from schemas.dead_letter import DeadLetter

from .found import Address

Kind = Literal["job", "input"]


class Asked(NamedTuple):
    """A letter is meant when everything that is said here holds of it. `since` and `until` (milliseconds, the latter
    excluded) are about when it became one. `addresses` and `job_ids` are alternatives of each other.
    """

    kind: Kind | None = None
    reason: str | None = None
    partner: str | None = None
    postback: str | None = None
    app: str | None = None
    event: str | None = None
    #: Inclusive ranges; a letter without a status lies in none.
    statuses: Sequence[tuple[int, int]] = ()
    since: int | None = None
    until: int | None = None
    addresses: Collection[Address] = ()
    job_ids: Collection[str] = ()

    @property
    def names_single_ones(self) -> bool:
        """Whether letters are named one by one."""
        return bool(self.addresses or self.job_ids)

    @property
    def is_everything(self) -> bool:
        """Whether nothing at all is said."""
        filters = (*self[:6], self.since, self.until)
        return not self.names_single_ones and not self.statuses and all(one is None for one in filters)

    def means(self, at: Address, letter: DeadLetter) -> bool:
        """Whether the letter at `at` is meant."""
        told = (letter.kind, letter.reason, letter.partner, letter.postback_id, letter.app_id, letter.event)
        if any(wanted is not None and wanted != is_now for wanted, is_now in zip(self, told, strict=False)):
            return False
        if (self.since is not None and letter.at < self.since) or (self.until is not None and letter.at >= self.until):
            return False
        status = letter.status
        if self.statuses and (status is None or not any(low <= status <= high for low, high in self.statuses)):
            return False
        return not self.names_single_ones or at in self.addresses or letter.job_id in self.job_ids
