"""Which dead letters are meant. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from schemas.dead_letter import DeadLetter
from schemas.job import Job

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

    @property
    def by_name(self) -> Asked:
        """The same single ones, whatever else is said."""
        return Asked(addresses=self.addresses, job_ids=self.job_ids)

    def means(self, at: Address, letter: DeadLetter) -> bool:
        """Whether the letter at `at` is meant."""
        told = (letter.kind, letter.reason, letter.partner, letter.postback_id, letter.app_id, letter.event)
        if any(wanted is not None and wanted != is_now for wanted, is_now in zip(self, told, strict=False)):
            return False
        if (self.since is not None and letter.at < self.since) or (self.until is not None and letter.at >= self.until):
            return False
        if not self._has(letter.status):
            return False
        return not self.names_single_ones or at in self.addresses or letter.job_id in self.job_ids

    def means_job(self, job: Job, ended_at: int, status: int | None) -> bool:
        """Whether what is said holds of a job that is named, and ended without a letter. `since` is about where it is
        looked for.
        """
        told = ("job", None, job.partner, job.postback_id, job.app_id, job.event)
        if any(wanted is not None and wanted != is_now for wanted, is_now in zip(self, told, strict=False)):
            return False
        return self._has(status) and (self.until is None or ended_at < self.until)

    def _has(self, status: int | None) -> bool:
        """Whether it is one of the statuses."""
        return not self.statuses or (status is not None and any(low <= status <= high for low, high in self.statuses))
