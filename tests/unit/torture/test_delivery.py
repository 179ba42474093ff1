"""The ledger of the sender: the schedule, the jobs, and a verdict that notices what is wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.receipt import Receipt
from streams.delivery.faults import STEPS
from streams.torture.delivery.account import Account
from streams.torture.delivery.gauge import Gauge, Reading, read
from streams.torture.delivery.judging import Arrival, Due, Judgement, Span, Written, judged
from streams.torture.delivery.orders import decided, orders
from streams.torture.delivery.partners import PARTNERS
from streams.torture.delivery.schedule import Counts, schedule
from streams.torture.schedule import BrokerRestart, Deaths, Join, Leave
from tests.support.waiting import eventually

NOW = 1_760_000_000_000
#: One job that was delivered at the second attempt, one that failed, and a kill in between.
JOBS = {"a": Due("limited", NOW, 3), "b": Due("fails", NOW, 0)}
SPANS = [Span(NOW + 1_000, NOW + 2_000, "kill", 1), Span(NOW + 5_000, NOW + 6_000, "join", 0)]
CAME = [
    Arrival(NOW + 10, "limited", "a", 1, "429"),
    Arrival(NOW + 10, "fails", "b", 1, "500"),
    Arrival(NOW + 3_000, "limited", "a", 2, "200"),
]


def receipt(job_id: str, kind: str, attempt: int, outcome: str, next_at: int | None = None) -> Receipt:
    plain = dict.fromkeys(("status", "error", "duration_ms", "address", "response"))
    named = dict.fromkeys(("postback_id", "partner", "app_id", "event", "record_id"), "x")
    own = {"kind": kind, "job_id": job_id, "attempt": attempt, "outcome": outcome, "next_at": next_at}
    return Receipt(**plain, **named, **own, at=NOW, generation=1, replay=False)  # type: ignore[arg-type]


def written(*without: int) -> Written:
    found = Written(letters=Counter({"b": 1}), counted=Counter({"delivered": 1, "failed": 1}))
    told = [
        receipt("a", "attempt", 1, "failed", NOW + 3_000),
        receipt("a", "attempt", 2, "delivered"),
        receipt("a", "terminal", 2, "delivered"),
        receipt("b", "attempt", 1, "failed"),
        receipt("b", "terminal", 1, "failed"),
    ]
    for number, one in enumerate(told):
        if number not in without:
            found.take_receipt(one)
    return found


def judge(found: Written | None = None, came: list[Arrival] | None = None) -> Judgement:
    return judged(JOBS, CAME if came is None else came, found or written(), SPANS, "limited")


def passed(judgement: Judgement) -> bool:
    return Account(version="", seed=1, workers=2, partitions=4, judgement=judgement).passed


def test_all_is_well() -> None:
    found = judge()
    assert found.faults == 0
    assert passed(found)
    assert [one.seen for one in found.repeats] == [0, 0, 0]
    assert found.ends == {"limited": {"delivered": 1}, "fails": {"failed": 1}}
    assert found.rates == {1_000: 1, 10_000: 2}


def again(job_id: str, kind: str, attempt: int, outcome: str) -> Callable[[], Judgement]:
    def judging() -> Judgement:
        found = written()
        found.take_receipt(receipt(job_id, kind, attempt, outcome))
        return judge(found)

    return judging


def without_letter() -> Judgement:
    found = written()
    found.letters.clear()
    return judge(found)


def counted_twice() -> Judgement:
    found = written()
    found.counted["delivered"] += 1
    return judge(found)


@pytest.mark.parametrize(
    ("wrong", "judging"),
    [
        ("lost", lambda: judge(written(4))),
        ("twice", again("a", "terminal", 2, "delivered")),
        ("chains", again("a", "attempt", 1, "failed")),
        ("chains", lambda: judge(written(0))),
        ("unknown", again("c", "attempt", 1, "failed")),
        ("letters", without_letter),
        ("claimed", lambda: judge(came=CAME[:2])),
        ("early", lambda: judge(came=[*CAME[:2], CAME[2]._replace(at=NOW + 2_990)])),
        ("early", lambda: judge(came=[CAME[0]._replace(at=NOW - 3), *CAME[1:]])),
        ("miscounted", counted_twice),
    ],
)
def test_what_is_wrong_is_counted_and_named(wrong: str, judging: Callable[[], Judgement]) -> None:
    found = judging()
    assert getattr(found, wrong) == 1
    assert not passed(found)
    assert found.lines


def test_a_repeat_is_put_down_to_the_incident_that_it_came_before() -> None:
    once = Arrival(NOW + 900, "fails", "b", 1, "500")
    assert [one.seen for one in judge(came=[*CAME, once]).repeats] == [1, 0, 0]
    assert passed(judge(came=[*CAME, once]))
    assert not passed(judge(came=[*CAME, *[once] * 25])), "one is allowed, and 20 that nobody could count"
    later = once._replace(at=NOW + 3_500)
    assert [one.seen for one in judge(came=[*CAME[:1], later, later, CAME[2]]).repeats] == [0, 1, 0]
    elsewhere = once._replace(at=NOW + 60_000)
    found = judge(came=[*CAME[:1], elsewhere, elsewhere, elsewhere, CAME[2]])
    assert [one.seen for one in found.repeats] == [0, 0, 2] or [one.seen for one in found.repeats][2] == 2
    assert not passed(found)


def test_a_request_whose_outcome_nobody_has_written_is_a_repeat() -> None:
    lone = Arrival(NOW + 950, "limited", "a", 3, "-")
    assert [one.seen for one in judge(came=[*CAME, lone]).repeats] == [1, 0, 0]


def test_the_limit_is_looked_at_over_windows() -> None:
    came = [Arrival(NOW + 50 * n, "limited", "a", 1, "200") for n in range(300)]
    assert judge(came=came).rates == {1_000: 20, 10_000: 200}
    assert not passed(judge(came=came))


def test_the_jobs_are_the_same_for_the_same_seed_and_everybody_has_some() -> None:
    found = [*orders(7, 5_000)]
    assert found == [*orders(7, 5_000)] != [*orders(8, 5_000)]
    assert len({one.job_id for one in found}) == 5_000
    shares = Counter(one.partner for one in found)
    assert shares.keys() == PARTNERS.keys()
    assert 20 < shares["limited"] < 100
    assert sum(one.share for one in PARTNERS.values()) == pytest.approx(1)
    assert {one.delay > 0 for one in found} == {True, False}
    job = decided(found[0], "http://x/", 3, NOW)
    assert (job.due_at, job.generation) == (NOW + found[0].delay, 3)


def test_the_schedule_has_what_was_asked_for_and_each_step_once() -> None:
    found = schedule(5, Counts(), 10_000)
    assert found == schedule(5, Counts(), 10_000)
    deaths = [death for one in found if isinstance(one, Deaths) for death in one.victims]
    assert len(deaths) == 10
    assert Counter(death.place.partition("/")[2] for death in deaths if death.place) == dict.fromkeys(STEPS, 1)
    assert [isinstance(one, Join) for one in found if isinstance(one, Join | Leave)] == [True, False, True, False, True]
    assert [one.abrupt for one in found if isinstance(one, BrokerRestart)].count(True) == 1
    few = schedule(5, Counts(), 100)
    assert len(few) == len(found)
    assert max(d.nth for one in few if isinstance(one, Deaths) for d in one.victims if "request" in d.place) <= 16


def test_a_gauge_tells_what_was_under_way_when_its_process_was_killed(tmp_path: Path) -> None:
    file = tmp_path / "gauge"
    assert read(file, 0.05) == Reading()
    gauge = Gauge(file)
    for _ in range(3):
        gauge.sent()
    gauge.came_back()
    found = read(file, 0.05)
    assert (found.flying, found.ended, found.just) == (2, 1, 1)
    assert read(file, 0.05, time.time() + 60).just == 1, "it is not committed yet"
    assert read(file, 0.05, time.time() + 60).uncommitted >= 60
    eventually(lambda: _committed(gauge) or read(file, 0.05, time.time() + 60).just == 0)
    assert read(file, 0.05, time.time() + 60).uncommitted == 0


def _committed(gauge: Gauge) -> bool:
    gauge.reached("commit", "begun")
    gauge.reached("commit", "committed")
    return False
