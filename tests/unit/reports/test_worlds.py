"""In random worlds of devices, users and postbacks of every kind the counts agree, and one that is wrong is found."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest

from schemas.decision import NOES
from schemas.job import Job
from schemas.report import DECIDED, ReportRow, day_named
from streams.delivery.counts import Counting, Counts
from streams.delivery.course import End
from streams.delivery.settling import Record, Settling, Source
from streams.delivery.tiers import Tiers
from streams.kafka import Topics
from streams.reports.check import check
from streams.reports.known import Known, addressed
from streams.reports.totals import Jobs, Totals, refused, totals
from tests.unit.attribution.agreement import NAMES, Lane, run
from tests.unit.attribution.worlds import Maker, World

TOPICS = Topics("r.")


def decided(lanes: tuple[Lane, Lane]) -> list[Job]:
    return [msgspec.json.decode(value, type=Job) for lane in lanes for value in lane.of(NAMES.delivery)]


def worker_rows(lanes: tuple[Lane, Lane]) -> list[ReportRow]:
    """The newest of each."""
    return list({row.key(): row for lane in lanes for row in lane.counted}.values())


def sender_rows(jobs: list[Job]) -> list[ReportRow]:
    """What a sender writes when these end."""
    rows: dict[bytes | None, ReportRow] = {}

    def commit(records: list[tuple[int, Record]], _positions: object) -> None:
        found = [record for _, record in records if record.topic == TOPICS.report]
        rows.update({record.key: msgspec.json.decode(record.value, type=ReportRow) for record in found})

    counting = Counting(commit, Counts(TOPICS.report, "w"))
    settling, source = Settling(TOPICS, Tiers()), Source(TOPICS.delivery, 0, 0, b"k")
    for number, job in enumerate(jobs):
        end = End("expired" if number % 3 else "suppressed", "test")
        counting([(0, record) for record in settling.ended(job, source, end, job.decided_at).records], [])
    return list(rows.values())


def counted(seed: int, crash: float) -> tuple[World, Totals, Counter[Jobs], list[Job]]:
    dice = random.Random(seed)
    world = Maker(dice).world(300)
    lanes = run(world, dice, crash)
    jobs = decided(lanes)
    ended, left = jobs[::2], jobs[1::2]
    unfinished = Counter(
        Jobs(day_named(job.day), job.app_id, job.generation, job.partner, job.postback_id, job.event) for job in left
    )
    return world, totals([*worker_rows(lanes), *sender_rows(ended)]), unfinished, jobs


@pytest.mark.parametrize("crash", [0.0, 0.3])
def test_all_counts_agree_with_each_other_and_with_the_jobs(crash: float) -> None:
    compared = 0
    for seed in range(12):
        world, summed, unfinished, jobs = counted(seed, crash)
        verdict = check(summed, Known([world.configuration]), unfinished)
        assert (seed, verdict.differences, verdict.unknown) == (seed, [], [])
        assert sum(counts[DECIDED] for counts in summed.jobs.values()) == len(jobs)
        compared += verdict.compared
    assert compared > 300


def test_the_jobs_and_noes_of_each_campaign_are_its_derived_events() -> None:
    compared = 0
    for seed in range(4):
        world, summed, _, _ = counted(seed, 0.0)
        known = Known([world.configuration])
        events = addressed(summed, known)
        for jobs, campaign in events.keys() | summed.by_campaign.keys():
            counts = summed.by_campaign.get((jobs, campaign), Counter())
            if known.tells(jobs):
                assert counts[DECIDED] + refused(counts) == events.get((jobs, campaign), 0), (jobs, campaign)
                compared += campaign.id is not None or campaign.name is not None
        assert sum(summed.by_campaign.values(), Counter()) == sum(summed.jobs.values(), Counter())
    assert compared > 20


def test_a_single_count_that_is_wrong_is_found() -> None:
    tried = 0
    for seed in range(3):
        world, summed, unfinished, _ = counted(seed, 0.0)
        known = Known([world.configuration])
        sessions = {postback.id for postback in world.configuration.postbacks if postback.event == "session"}
        for jobs, counts in summed.jobs.items():
            # A refused session is nobody's but the postback's own to count.
            names = [name for name in counts if jobs.postback_id not in sessions or name not in NOES]
            for name in names:
                counts[name] += 1
                assert check(summed, known, unfinished).differences, (jobs, name)
                counts[name] -= 1
                tried += 1
        assert check(summed, known, unfinished).differences == []
    assert tried > 100
