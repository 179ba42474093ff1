"""The pure parts of the sender's benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.sender import Limits
from streams.delivery.tiers import Tiers
from tests.benchmarks.delivery import arrivals, backlog, jobs, sender, tables, threads
from tests.benchmarks.delivery.__main__ import SUITES
from tests.benchmarks.delivery.behaviour import Behaviour, address, ordered, take
from tests.benchmarks.delivery.samples import Sample, Samples

GET = b"GET /7/42?a=b/c HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /3/9 HTTP/1.1\r\ncontent-length: 4\r\n\r\n{a} "


def test_requests_are_taken_one_after_the_other() -> None:
    data = GET + POST + GET[:20]
    first = take(data)
    assert first is not None
    assert first.path == b"7/42"
    second = take(data, first.end)
    assert second is not None
    assert (second.path, second.end) == (b"3/9", len(GET + POST))
    assert take(data, second.end) is None


@given(st.integers(0, len(POST) - 1))
def test_a_request_that_is_not_complete_is_waited_for(length: int) -> None:
    assert take(POST[:length]) is None


def test_what_is_no_request_is_an_error() -> None:
    with pytest.raises(ValueError):
        take(b"nonsense\r\n\r\n")


def test_a_limit_begins_anew_with_each_second() -> None:
    limited = Behaviour("limit", limit=2)
    assert [limited.status(at) for at in (5.0, 5.1, 5.2, 5.9, 6.0)] == [200, 200, 429, 429, 200]


def test_an_order_changes_a_lane() -> None:
    assert ordered(["set", "4", "hang", "0", "0"]) == (4, Behaviour("hang"))
    assert ordered(["set", "4", "answer", "20", "0"]) == (4, Behaviour("answer", 0.02))
    with pytest.raises(ValueError):
        ordered(["set", "4", "explode", "0", "0"])


def test_each_lane_is_another_host() -> None:
    assert len({address(lane) for lane in range(1_000)}) == 1_000
    assert address(0) == "127.0.0.1"


SAMPLE = st.builds(Sample, st.floats(0, 2e9), st.integers(0, 999), st.integers(0, 2**32 - 1), st.integers(0, 599))


@given(st.lists(SAMPLE))
def test_samples_are_read_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, seen: list[Sample]) -> None:
    path: Path = tmp_path_factory.mktemp("samples") / "file"
    samples = Samples()
    for one in seen:
        samples.add(*one)
    samples.write(path)
    assert list(Samples.read(path)) == seen


@given(st.integers(1, 50), st.integers(1, 16))
def test_every_lane_has_jobs_in_every_partition(lanes: int, partitions: int) -> None:
    places = {(order % lanes, jobs.place(order, lanes, partitions)) for order in range(lanes * partitions)}
    assert len(places) == lanes * partitions


def test_a_job_is_of_a_usual_size_and_tells_its_number() -> None:
    for method in ("GET", "POST"):
        job = jobs.Jobs(8080, 20, method).job(123, 1_795_000_000_000, 1_795_000_000_000)
        url = "".join(map(str, job.request.url))
        assert url.startswith("http://127.0.0.4:8080/3/123?")
        assert 190 <= len(url) <= 230
        assert (job.request.body is None) == (method == "GET")
        assert int(job.job_id, 16) == 123


def test_windows_count_what_lies_in_them() -> None:
    assert arrivals.per_window([0.0, 0.5, 1.0, 2.9, 3.0], 0.0, 3.0, 1.0) == [2.0, 1.0, 1.0]
    assert arrivals.per_window([10.0, 12.0, 19.0], 10.0, 20.0, 5.0) == [0.4, 0.2]


def test_the_most_within_a_second_need_not_lie_in_one_second_of_the_clock() -> None:
    assert arrivals.most_within([0.0, 0.9, 1.0, 1.1, 1.2, 5.0], 0.5) == 4
    assert arrivals.most_within([], 1.0) == 0


def test_waits_are_of_those_that_came_and_negative_when_too_early() -> None:
    assert arrivals.waits({1: 10.5, 2: 9.0, 4: 1.0}, {1: 10.0, 2: 10.0, 3: 10.0}) == [500.0, -1000.0]


def test_repeated_are_those_that_came_before() -> None:
    assert arrivals.repeated([1, 2, 1, 1, 3, 2]) == 3


@given(st.integers(0, 40_000_000))
def test_a_job_is_written_as_often_as_its_delay_topics_say(wait: int) -> None:
    tiers, left, written = Tiers(), wait, 0
    while (tier := tiers.tier_for(left)) is not None:
        left, written = left - tiers.delay(tier), written + 1
    assert arrivals.hops(wait, tiers.base, tiers.count) == written


def test_on_average_a_delay_of_up_to_ten_minutes_is_written_three_times() -> None:
    assert arrivals.mean_hops(600, 8, 9) == pytest.approx(2.9, abs=0.15)


def a_backlog(jobs: int) -> backlog.Task:
    return backlog.Task(jobs, limit=10, down=1, seconds=60, load=1, scale=1)


def test_a_backlog_is_told_up_to_when_most_of_it_is_out() -> None:
    times = [5.0, *(100 + place / 10 for place in range(1_000)), 900.0]
    told = backlog.drained(times, back=98.0, until=1_000.0, task=a_backlog(1_000))
    assert told["silent"] == pytest.approx(2.0)
    assert told["rate"] == pytest.approx(10.0)
    assert told["least"] == pytest.approx(10.0, abs=0.2)


def test_a_silence_at_the_end_counts_while_much_of_a_backlog_is_left() -> None:
    times = [100 + place / 10 for place in range(201)]
    told = backlog.drained(times, back=100.0, until=140.0, task=a_backlog(1_000))
    assert told["rate"] == pytest.approx(5.0)
    assert told["error"] == pytest.approx(-50.0)
    assert told["least"] == 0.0


def test_times_run_faster_and_numbers_stay() -> None:
    assert sender.scaled(1) == Limits()
    fast = sender.scaled(20)
    assert (fast.tiers.base, fast.tiers.count) == (400, 9)
    assert (fast.backoff.first, fast.backoff.factor) == (1_500, 3)
    assert (fast.lane.breaker.first_pause, fast.lane.breaker.least) == (800, 20)


def test_the_time_of_a_thread_is_read_behind_any_name() -> None:
    assert threads.used("1 (a) b (c) S 1 1 1 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1", 100) == 3.0


def test_every_suite_of_the_sender_has_its_table() -> None:
    assert set(tables.TABLES) == set(SUITES)
