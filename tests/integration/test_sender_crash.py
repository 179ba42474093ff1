"""What a sender's end, however it comes, does to jobs: nothing is lost, and repeats are those that were in flight
(D1–D4, D7).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

from streams.delivery.consumer import Intake, Taken
from streams.delivery.offsets import Position, Tracker
from streams.delivery.outcomes import Aborted, Transactions
from streams.local.exchange import HANG, OK, Answer
from streams.local.partner import Partner, in_thread
from streams.metrics import Metrics
from streams.settings import Settings
from tests.support.processes import Start
from tests.support.sending import Bench, configuration, job_for, partner_named
from tests.support.waiting import eventually

MODULE = "tests.support.sender_process"


@pytest.fixture
def bench(settings: Settings) -> Bench:
    made = Bench(settings)
    made.create()
    return made


@pytest.fixture
def partner() -> Iterator[Partner]:
    with in_thread() as running:
        yield running


def ended(bench: Bench, count: int, within: float = 60.0) -> None:
    eventually(lambda: len(bench.terminal()) >= count, within=within, every=0.5, what=f"{count} jobs have ended")


def test_kill_9_loses_nothing_and_repeats_only_what_was_in_flight(bench: Bench, start: Start, partner: Partner) -> None:
    in_flight, kills, count = 20, 3, 1_500
    bench.configure(configuration([partner_named(max_in_flight=in_flight)]))
    partner.rule("/i", lambda _: Answer(delay=0.05))
    bench.decide(job_for(partner.url("/i"), n) for n in range(count))
    for number in range(kills):
        process = start(module=MODULE)
        seen = partner.count
        eventually(lambda seen=seen: partner.count > seen + 150, within=60)  # type: ignore[misc]
        process.kill()
        time.sleep(0.1 * number)
    start(module=MODULE)
    ended(bench, count)
    assert bench.outcomes() == {"delivered": count}
    sent = Counter(partner.job_ids())
    assert len(sent) == count
    repeats = sum(times - 1 for times in sent.values())
    # In flight, and one commit interval (50 ms and the transaction itself) of sends at 400/s.
    assert repeats <= kills * (in_flight + 3 * in_flight), repeats


def test_sigterm_finishes_what_is_in_flight_and_exits_0(bench: Bench, start: Start, partner: Partner) -> None:
    bench.configure(configuration([partner_named()]))
    partner.rule("/i", lambda _: Answer(delay=1.0))
    process = start(module=MODULE)
    # More than there is room for: it reads and reads.
    count = 6_000
    bench.decide(job_for(partner.url("/i"), n) for n in range(count))
    eventually(lambda: partner.in_flight >= 90, within=60)
    process.terminate()
    assert process.wait(20) == 0
    first = set(partner.job_ids())
    assert len(first) == partner.count < count
    assert set(bench.terminal()) == first, "a request went out without its receipt"
    partner.rule("/i", lambda _: OK)
    start(module=MODULE, RINGBACK_TEST_QUICK="yes")
    ended(bench, count)
    assert sorted(partner.job_ids(), key=str) == sorted((f"job-{n}" for n in range(count)), key=str)


class Reading:
    """What an intake tells, kept."""

    def __init__(self) -> None:
        self.assignments: list[list[Tracker]] = []

    def room(self) -> int:
        return 100

    def hungry(self) -> bool:
        return True

    def due(self, tier: int, appended: int) -> bool:
        return True

    def assigned(self, trackers: list[Tracker], share: float) -> None:
        self.assignments.append(trackers)

    def taken(self, records: list[Taken]) -> None:
        pass

    def unread(self, records: dict[str, int]) -> None:
        pass

    def revoked(self, trackers: list[Tracker]) -> None:
        pass

    def lost(self, trackers: list[Tracker]) -> None:
        pass


def test_what_an_assignment_has_settled_is_not_committed_in_the_name_of_the_next(
    bench: Bench, settings: Settings
) -> None:
    readers = (Reading(), Reading())
    intakes = [Intake(settings, reader, Metrics(), lambda error: None) for reader in readers]
    transactions = Transactions(settings, f"{settings.sender_group}-one", intakes[0].group, set())
    try:
        transactions.start()
        intakes[0].start()
        eventually(lambda: readers[0].assignments, within=30)
        intakes[1].start()
        eventually(lambda: len(readers[0].assignments) > 1 and readers[1].assignments, within=30)
        first, second = readers[0].assignments[:2]
        kept = {(tracker.topic, tracker.partition) for tracker in second}
        gone = next(tracker for tracker in first if (tracker.topic, tracker.partition) not in kept)
        with pytest.raises(Aborted):
            transactions([], [(gone, Position(0, ""))])
        with pytest.raises(Aborted):
            transactions([], [(gone, Position(0, "")), (second[0], Position(0, ""))])
        transactions([], [(second[0], Position(0, ""))])
    finally:
        for intake in intakes:
            intake.close()
        transactions.discard()


def test_a_second_sender_joins_and_leaves_with_jobs_in_flight(bench: Bench, start: Start, partner: Partner) -> None:
    bench.configure(configuration([partner_named(max_in_flight=20)]))
    partner.rule("/i", lambda _: Answer(delay=0.05))
    count = 6_000
    bench.decide(job_for(partner.url("/i"), n) for n in range(count))
    start(module=MODULE)
    eventually(lambda: partner.count > 200, within=60)
    second = start(module=MODULE)
    eventually(lambda: "assigned" in second.output(), within=60)
    seen = partner.count
    assert seen < count - 500, "there must be work left for two"
    eventually(lambda: partner.count > seen + 300, within=60)
    second.terminate()
    assert second.wait(30) == 0
    ended(bench, count, 90)
    assert bench.outcomes() == {"delivered": count}
    sent = Counter(partner.job_ids())
    assert max(sent.values()) == 1, "a rebalance must drain"


def test_a_hanging_partner_does_not_delay_the_others(bench: Bench, start: Start, partner: Partner) -> None:
    bench.configure(configuration([partner_named("hangs", timeout=5_000), partner_named("well")]))
    partner.rule("/hang", lambda _: HANG)
    process = start(module=MODULE)
    bench.decide(job_for(partner.url("/hang"), n, partner="hangs") for n in range(10_000))
    eventually(lambda: partner.in_flight >= 50, within=60)
    (sender,) = psutil.Process(process.guard_pid).children()
    before = sender.memory_info().rss
    began = int(time.time() * 1000)
    bench.decide(job_for(partner.url("/well"), 20_000 + n, partner="well") for n in range(1_000))
    eventually(lambda: sum(r.target == "/well" for r in partner.requests) >= 1_000, within=20)
    took = sorted(request.at - began for request in partner.requests if request.target == "/well")
    assert took[989] < 4_000, took[::100]
    assert sender.memory_info().rss - before < 100_000_000
