"""What lies in the topics beside what must lie there. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, TypeVar

from streams.engine.stages import Unit
from streams.torture.picture import Lies, Picture, Said

Key = TypeVar("Key", bytes, tuple[int, bytes])

#: So many of a sort are named.
NAMED = 5


class Verdict(NamedTuple):
    """How many of what is otherwise than it must be; `lines` names the first of each. `undone`: partitions that were
    not read to their ends, or whose counts were not all told.
    """

    lost: int = 0
    twice: int = 0
    strange: int = 0
    different: int = 0
    states: int = 0
    reports: int = 0
    told: int = 0
    letters: int = 0
    undone: int = 0
    lines: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether all is as it must be."""
        return not any(number for number in self if isinstance(number, int))


class Deliveries(NamedTuple):
    """What the partner received, beside the jobs: `repeated` requests, jobs that `never` came, requests of `unknown`
    jobs.
    """

    received: int
    repeated: int
    never: int
    unknown: int


def judged(wanted: Picture, seen: Picture) -> Verdict:
    """Everything that the workers wrote."""
    lost = wanted.jobs.keys() - seen.jobs.keys()
    strange = seen.jobs.keys() - wanted.jobs.keys()
    different = [one for one in wanted.jobs.keys() & seen.jobs.keys() if wanted.jobs[one] != seen.jobs[one]]
    states = [*_rows(wanted, seen)]
    reports = _unlike(wanted.reports, seen.reports)
    told = ((wanted.told - seen.told) + (seen.told - wanted.told)).total()
    letters = [*_counted(wanted.letters, seen.letters)]
    undone = [
        f"{unit}: {topic} read to {seen.positions.get(unit, {}).get(topic, 0):,} of {end:,}"
        for unit, ends in sorted(wanted.positions.items())
        for topic, end in ends.items()
        if seen.positions.get(unit, {}).get(topic, 0) != end
    ]
    undone += [f"partition {number} of the report topic, {key.decode()}" for number, key in sorted(seen.untold)]
    lines = [
        *_named("jobs lost", [_job(one, wanted.jobs[one]) for one in sorted(lost)]),
        *_named("jobs written twice", [_job(one, seen.jobs[one]) for one in sorted(seen.twice)]),
        *_named("jobs that nobody had to decide", [_job(one, seen.jobs[one]) for one in sorted(strange)]),
        *_named("jobs that say something else", [_job(one, wanted.jobs[one]) for one in sorted(different)]),
        *_named("rows of state", states),
        *_named("rows of reports", [f"partition {number} {key.decode()}" for number, key in reports]),
        *([f"records for the user stage: {told:,} more or fewer"] if told else []),
        *_named("dead letters", letters),
        *_named("partitions that were not read, or told, to their ends", undone),
    ]
    return Verdict(
        len(lost), len(seen.twice), len(strange), len(different), len(states), len(reports), told, len(letters),
        len(undone), tuple(lines),
    )  # fmt: skip


def delivered(jobs: Collection[str], requests: Iterable[str]) -> Deliveries:
    """The job ids of the requests that the partner has got, beside those of all jobs."""
    came = Counter(requests)
    never = sum(one not in came for one in jobs)
    unknown = sum(number for one, number in came.items() if one not in jobs)
    repeated = sum(number - 1 for one, number in came.items() if one in jobs)
    return Deliveries(came.total(), repeated, never, unknown)


def _rows(wanted: Picture, seen: Picture) -> Iterable[str]:
    """Rows that are missing, too many, or other ones."""
    for unit in sorted(wanted.rows.keys() | seen.rows.keys()):
        should, has = wanted.rows.get(unit, {}), seen.rows.get(unit, {})
        for key in _unlike(should, has):
            what = "missing" if key not in has else "too much" if key not in should else "another one"
            yield f"{_named_unit(unit)} {key!r}: {what}"


def _named_unit(unit: Unit) -> str:
    return f"{unit.stage} partition {unit.number}"


def _unlike(wanted: Mapping[Key, bytes], seen: Mapping[Key, bytes]) -> list[Key]:
    return sorted(key for key in wanted.keys() | seen.keys() if wanted.get(key) != seen.get(key))


def _counted(wanted: Counter[Lies], seen: Counter[Lies]) -> Iterable[str]:
    for what, odd in (("missing", wanted - seen), ("too much", seen - wanted)):
        for topic, partition, offset, reason in odd.elements():
            yield f"{topic} partition {partition} offset {offset} ({reason}): {what}"


def _job(job_id: str, said: Said) -> str:
    return f"{job_id} ({said.postback_id}, partition {said.partition})"


def _named(what: str, found: Collection[str]) -> Iterable[str]:
    if found:
        first = "; ".join(list(found)[:NAMED])
        more = f"; and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
        yield f"{what}: {len(found):,}: {first}{more}"
