"""Whether the counts agree with each other (contract §5, "Exactly equal counts"). Pure: everything is computed from
rows that were written apart; nothing follows from anything by how it is computed here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from schemas.report import DECIDED, OUTCOMES
from streams.attribution import events
from streams.reports.known import Known, addressed
from streams.reports.totals import Jobs, Totals, refused, waiting


class Verdict(NamedTuple):
    """`differences`: one line each, none when all holds. `compared` postbacks of a generation on a day.
    `unknown`: generations that are not kept any more, of which the postbacks cannot be compared.
    """

    differences: list[str]
    compared: int
    unknown: list[int]


def check(totals: Totals, known: Known, unfinished: Mapping[Jobs, int] | None, *, ends: bool = True) -> Verdict:
    """Compare everything that must be equal. Without `ends` nothing with how jobs ended: some of them may be counted
    as ended whose decision has not been told. All else of a partition is told at once.

    `unfinished`: how many jobs lie unfinished in the delivery and delay topics; None when that is not known for the
    moment of the counts.
    """
    addressed_by: Counter[Jobs] = Counter()
    for (jobs, _), count in addressed(totals, known).items():
        addressed_by[jobs] += count
    seen = {jobs.generation for jobs in totals.jobs} | {fired.generation for fired in totals.fired}
    differences = [
        *totals.odd,
        *_undecided(totals, known, addressed_by),
        *(_unended(totals, unfinished) if ends else ()),
        *_unpaired(totals),
    ]
    return Verdict(differences, len(addressed_by), sorted(seen - known.generations.keys()))


def _undecided(totals: Totals, known: Known, addressed_by: Mapping[Jobs, int]) -> Iterator[str]:
    """For each generation, postback and day: derived events of its source = decided + noes."""
    for jobs in sorted(addressed_by.keys() | {jobs for jobs in totals.jobs if known.tells(jobs)}):
        counts = totals.jobs.get(jobs, Counter())
        decided, noes, fired = counts[DECIDED], refused(counts), addressed_by.get(jobs, 0)
        if decided + noes != fired:
            yield f"{_named(jobs)}: {fired:,} derived events, but {decided:,} decided and {noes:,} refused"


def _unended(totals: Totals, unfinished: Mapping[Jobs, int] | None) -> Iterator[str]:
    """Decided = delivered + failed + suppressed + expired + waiting, and waiting is what lies unfinished."""
    for jobs in sorted(totals.jobs.keys() | (unfinished or {}).keys()):
        counts = totals.jobs.get(jobs, Counter())
        left = waiting(counts)
        if left < 0:
            ended = ", ".join(f"{counts[outcome]:,} {outcome}" for outcome in OUTCOMES if counts[outcome])
            yield f"{_named(jobs)}: {counts[DECIDED]:,} decided, but {ended}"
        elif unfinished is not None and left != unfinished.get(jobs, 0):
            lie = unfinished.get(jobs, 0)
            yield f"{_named(jobs)}: {left:,} wait by the counts, but {lie:,} jobs lie unfinished in the delivery topics"


def _unpaired(totals: Totals) -> Iterator[str]:
    """What fires every time fires by the first attribution and by the current one; a first is one of those."""
    sums: defaultdict[tuple[str, str, int, str], Counter[str]] = defaultdict(Counter)
    for fired, counts in totals.fired.items():
        sums[fired.day, fired.app_id, fired.generation, fired.stage].update(counts)
    for (day, app_id, generation, stage), counts in sorted(sums.items()):
        if stage != "device":
            continue
        where = f"{day} {app_id} (generation {generation})"
        for every, current in sorted({_pair(name) for name in counts}):
            if events.parse(current) is None:
                continue
            if counts[every] != counts[current]:
                yield f"{where}: {counts[every]:,} {every}, but {counts[current]:,} {current}"
            for name in (every, current):
                if counts[f"first_{name}"] > counts[name]:
                    yield f"{where}: {counts[f'first_{name}']:,} first_{name}, but {counts[name]:,} {name}"


def _pair(name: str) -> tuple[str, str]:
    """The two derived events of a family that fire every time: by the first attribution and by the current one."""
    family, colon, custom = name.partition(":")
    stem = family.removeprefix("first_").removesuffix("_ca")
    return f"{stem}{colon}{custom}", f"{stem}_ca{colon}{custom}"


def persisting(before: Verdict, after: Verdict) -> Verdict:
    """The later one, with only the differences of what differed before too: the rest was of different moments."""
    subjects = {_subject(difference) for difference in before.differences}
    return after._replace(differences=[one for one in after.differences if _subject(one) in subjects])


def _subject(difference: str) -> str:
    return difference.partition(": ")[0]


def _named(jobs: Jobs) -> str:
    return f"{jobs.day} {jobs.postback_id} ({jobs.app_id}, {jobs.event}, generation {jobs.generation})"
