"""The check on what there is: the counts, and the jobs that lie in the topics at the same moment."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from schemas.report import UntoldMark
from streams.reports import reading
from streams.reports.check import Verdict, check, persisting
from streams.reports.known import Known
from streams.reports.totals import Jobs, Totals, totals
from streams.reports.unfinished import MOST, Delivery
from streams.settings import Settings


class Checked(NamedTuple):
    """`behind`: partitions whose workers have not told all that they have counted; the ends of jobs were not compared
    then. `not_counted`: why the jobs that wait were not compared with those that lie in the topics; empty: they were.
    """

    totals: Totals
    verdict: Verdict
    not_counted: str
    behind: list[UntoldMark]


def checked(settings: Settings, since: int | None, first: str | None, last: str | None) -> Checked:
    """Read and compare the days from `first` to `last`; `since` is when the first one began (milliseconds). Blocks;
    raises `Stop`.

    How many jobs lie unfinished is compared only when nothing was decided and nothing settled from before the counts
    were read until after: otherwise both may be right, of different moments. Where something differs all is read once
    more, and what differs only once is no difference.
    """
    delivery = Delivery(settings)
    try:
        found = _looked(settings, delivery, since, first, last)
        if found.verdict.differences:
            again = _looked(settings, delivery, since, first, last)
            found = again._replace(verdict=persisting(found.verdict, again.verdict))
    finally:
        delivery.close()
    return found


def _looked(settings: Settings, delivery: Delivery, since: int | None, first: str | None, last: str | None) -> Checked:
    before = delivery.state()
    known = Known(reading.configurations(settings))
    counted = reading.counted(settings, since)
    summed = totals(counted.rows, first, last)
    unfinished: Counter[Jobs] | None = None
    not_counted = f"more than {MOST:,} records to look through"
    if counted.behind:
        not_counted = "some counts have not been told"
    elif before.records <= MOST:
        unfinished, not_counted = delivery.jobs(before), ""
        if delivery.state() != before:
            unfinished, not_counted = None, "jobs are being decided or sent"
    verdict = check(summed, known, _of_days(unfinished, first, last), ends=not counted.behind)
    return Checked(summed, verdict, not_counted, counted.behind)


def _of_days(jobs: Counter[Jobs] | None, first: str | None, last: str | None) -> Counter[Jobs] | None:
    if jobs is None:
        return None
    inside = (one for one in jobs if (first is None or one.day >= first) and (last is None or one.day <= last))
    return Counter({one: jobs[one] for one in inside})
