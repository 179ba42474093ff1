"""Replaying: dead letters, and jobs that are named and have none. Blocks; raises `Stop`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas.config import Configuration
from schemas.job import Job
from streams import kafka, topics
from streams.delivery.course import Rules
from streams.errors import Stop
from streams.explain.scanning import Tell

from . import again, ended, fresh
from .acting import Acting, Progress, Seen
from .again import Fresh, Place, Record, Refused
from .found import Found
from .pace import Pace
from .portions import Portion
from .reading import EARLIER


class Replaying(Acting):
    """Letters are sent again."""

    #: Jobs by id that are sent without a letter.
    jobs: Mapping[str, ended.Lying] = {}
    _fresh: Fresh | None = None
    _where: Place

    def prepare(self, live: Configuration, ended_too: bool, render: bool, tell: Tell) -> None:
        """See what there is. `ended_too`: jobs that are named and have no open letter are sent too. `render`: by the
        current template, for which the input topics are read from their beginning.
        """
        names = kafka.Topics(self.settings.topic_prefix)
        found = topics.look(self.admin, [names.delivery, *(source.topic for source in live.sources)])
        partitions = {name: one.partitions for name, one in found.items()}
        self._where = Place(names.delivery, partitions, Rules().with_configuration(live))
        self.look(self._becomes)
        standing = self._standing(names, ended_too)
        if render:
            self._fresh = fresh.fresh(self.settings, live, self._wanted(), tell)
            self.look(self._becomes)
        standing |= {one: said for one, lying in self.jobs.items() if isinstance(said := self._job(lying), Refused)}
        self.jobs = {one: lying for one, lying in self.jobs.items() if one not in standing}
        for job_id, refused in standing.items():
            self.seen.refusals.take(job_id, refused)

    def do(self, pace: Pace, timeout: float, tell: Progress) -> None:
        """Send them again."""
        self.act(self._becomes, "replayed", pace, timeout, tell)

    def besides(self, at_once: int) -> Iterator[Portion]:
        """The jobs without a letter, so many in a portion."""
        records = [record for lying in self.jobs.values() if isinstance(record := self._job(lying), Record)]
        for first in range(0, len(records), at_once):
            some = records[first : first + at_once]
            yield Portion(len(some), tuple(some))

    def _becomes(self, found: Found) -> Record | Refused:
        return again.letter(found, self._where, self.clock.now(), self._fresh)

    def _job(self, lying: ended.Lying) -> Record | Refused:
        return again.replay(lying.job, lying.key, lying.partition, self._where, self.clock.now(), self._fresh)

    def _wanted(self) -> dict[str, str]:
        """By job id the postbacks of what is to be rendered anew."""
        wanted = {job_id: lying.job.postback_id for job_id, lying in self.jobs.items()}
        for job in self._jobs_in(self.letters(Seen())):
            wanted[job.job_id] = job.postback_id
            if len(wanted) > fresh.MOST_JOBS:
                raise Stop(
                    f"more than {fresh.MOST_JOBS:,} jobs cannot be rendered anew at once",
                    "take a part of them: --partner, --from and --to; the rest later",
                )
        return wanted

    def _jobs_in(self, letters: Iterable[Found]) -> Iterator[Job]:
        for found in letters:
            job = again.job_in(found.letter) if found.letter.kind == "job" else None
            if isinstance(job, Job):
                yield job

    def _is_meant(self, job: Job, known: ended.Known) -> bool:
        end = known.ended(job.job_id)
        return end is not None and self.asked.means_job(job, end.at, end.status)

    def _standing(self, names: kafka.Topics, ended_too: bool) -> dict[str, Refused]:
        """Why jobs that are named and have no open letter are not sent; notes those that are."""
        seen = self.seen.open if ended_too else self.seen.named
        wanted = {job_id for job_id in self.asked.job_ids if job_id not in seen}
        if not wanted:
            return {}
        since = None if self.asked.since is None else self.asked.since - EARLIER
        known = ended.known(self.topic.scanner, self.admin, names, wanted, since)
        standing = {job_id: known.standing(job_id) or Refused("unknown") for job_id in sorted(wanted)}
        if ended_too:
            over = [job_id for job_id, refused in standing.items() if refused.word == "ended"]
            lying = {job_id: known.jobs[job_id] for job_id in over if job_id in known.jobs}
            self.jobs = {job_id: one for job_id, one in lying.items() if self._is_meant(one.job, known)}
            standing |= {job_id: Refused("other_job" if job_id in lying else "gone") for job_id in over}
        return {job_id: refused for job_id, refused in standing.items() if job_id not in self.jobs}
