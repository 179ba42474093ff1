"""What lies in the topics beside what must lie there: equal when it is, and no single change goes unnoticed."""

from __future__ import annotations

import copy
from collections.abc import Callable

import msgspec
import pytest

from schemas.job import Job, Request
from schemas.report import UntoldMark
from streams.engine.recovery import MARKER_KEY, Marker
from streams.engine.stages import Unit
from streams.torture.ledger import Ledger, encoded, recovery
from streams.torture.picture import Lies, Picture
from streams.torture.verdict import Deliveries, Verdict, delivered, judged
from tests.unit.torture.laying import reference, some_history

WANTED = reference(some_history(3, 4_000)).picture
DEVICE = Unit("device", 1)
MARK = UntoldMark(stage="device", since=0, writer="w")


def _lose_a_job(seen: Picture) -> None:
    seen.jobs.popitem()


def _write_a_job_twice(seen: Picture) -> None:
    seen.twice.append(next(iter(seen.jobs)))


def _decide_another_job(seen: Picture) -> None:
    seen.jobs["f" * 32] = next(iter(seen.jobs.values()))


def _change_a_job(seen: Picture) -> None:
    first = next(iter(seen.jobs))
    seen.jobs[first] = seen.jobs[first]._replace(digest=b"other")


def _move_a_job(seen: Picture) -> None:
    first = next(iter(seen.jobs))
    seen.jobs[first] = seen.jobs[first]._replace(partition=9)


def _change_a_state(seen: Picture) -> None:
    seen.rows[DEVICE][next(iter(seen.rows[DEVICE]))] += b"!"


def _lose_a_state(seen: Picture) -> None:
    seen.rows[DEVICE].popitem()


def _keep_a_hold(seen: Picture) -> None:
    seen.rows[DEVICE][b"h-too-much"] = b"1"


def _change_a_count(seen: Picture) -> None:
    seen.reports[next(iter(seen.reports))] += b"!"


def _tell_a_user_twice(seen: Picture) -> None:
    seen.told[next(iter(seen.told))] += 1


def _lose_a_dead_letter(seen: Picture) -> None:
    del seen.letters[next(iter(seen.letters))]


def _write_a_dead_letter_twice(seen: Picture) -> None:
    seen.letters[next(iter(seen.letters))] += 1


def _stop_before_the_end(seen: Picture) -> None:
    positions = seen.positions[DEVICE]
    positions[next(iter(positions))] -= 1


def _leave_a_count_untold(seen: Picture) -> None:
    seen.take_report(1, MARK.key(), msgspec.json.encode(MARK))


CHANGES: dict[Callable[[Picture], None], str] = {
    _lose_a_job: "lost",
    _write_a_job_twice: "twice",
    _decide_another_job: "strange",
    _change_a_job: "different",
    _move_a_job: "different",
    _change_a_state: "states",
    _lose_a_state: "states",
    _keep_a_hold: "states",
    _change_a_count: "reports",
    _tell_a_user_twice: "told",
    _lose_a_dead_letter: "letters",
    _write_a_dead_letter_twice: "letters",
    _stop_before_the_end: "undone",
    _leave_a_count_untold: "undone",
}


def test_a_picture_is_equal_to_itself() -> None:
    found = judged(WANTED, copy.deepcopy(WANTED))
    assert found.equal
    assert found == Verdict()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_single_change_is_found_and_named(change: Callable[[Picture], None]) -> None:
    seen = copy.deepcopy(WANTED)
    change(seen)
    found = judged(WANTED, seen)
    assert not found.equal
    numbers = {name: number for name, number in found._asdict().items() if name != "lines" and number}
    assert numbers == {CHANGES[change]: 1}
    assert len(found.lines) == 1


def test_a_job_decided_at_another_time_under_another_generation_says_the_same() -> None:
    job = Job(
        job_id="0" * 32, postback_id="p", partner="a", app_id="x", event="install", record_id="r", device_key="x|d",
        generation=1, decided_at=5, due_at=8, max_age=9, retry_attempts=0, request=Request("GET", ("http://x/",)),
    )  # fmt: skip
    later = msgspec.structs.replace(job, generation=2, decided_at=105, due_at=108)
    delayed = msgspec.structs.replace(later, due_at=109)
    said = []
    for one in (job, later, delayed):
        picture = Picture()
        picture.take_job(0, msgspec.json.encode(one))
        said.append(picture.jobs)
    assert said[0] == said[1] != said[2]


def test_of_a_changelog_the_newest_row_counts_and_the_engines_own_are_no_state() -> None:
    picture = Picture()
    for key, value in (
        (b"dx", b"1"), (b"dx", b"2"), (b"dy", b"1"), (b"dy", None), (MARKER_KEY + b":barrier", b"w"),
        (MARKER_KEY, Marker({"events": 3}).encode()), (MARKER_KEY, Marker({"events": 7}).encode()),
    ):  # fmt: skip
        picture.take_row("device", 1, key, value)
    assert picture.rows == {DEVICE: {b"dx": b"2"}}
    assert picture.positions == {DEVICE: {"events": 7}}


def test_dead_letters_of_jobs_and_rows_of_the_sender_are_none_of_the_workers() -> None:
    picture = Picture()
    letter = {"kind": "job", "reason": "poison", "detail": "", "topic": "t", "partition": 0, "offset": 0, "at": 0}
    picture.take_letter(msgspec.json.encode(letter))
    picture.take_letter(msgspec.json.encode(letter | {"kind": "input", "reason": "null", "offset": 4}))
    assert picture.letters == {Lies("t", 0, 4, "null"): 1}
    picture.take_report(0, b'["ended","sender"]', b"{}")
    picture.take_report(0, b'["events","device"]', b"{}")
    assert list(picture.reports) == [(0, b'["events","device"]')]


def test_what_has_been_told_in_the_end_is_not_untold() -> None:
    picture = Picture()
    for partition, value in ((0, b"{}"), (1, b"{}"), (0, None)):
        picture.take_report(partition, MARK.key(), value)
    assert (picture.untold, picture.reports) == ({(1, MARK.key())}, {})


def test_what_the_partner_received() -> None:
    assert delivered({"a", "b", "c"}, ["a", "a", "a", "b", "x"]) == Deliveries(5, 2, 1, 1)


def test_a_ledger_passes_only_when_all_is_well() -> None:
    def passed(**more: object) -> bool:
        fields: dict[str, object] = {"version": "", "seed": 1, "workers": 2, "partitions": 4, "verdict": Verdict()}
        return Ledger(**(fields | more)).passed  # type: ignore[arg-type]

    assert passed()
    assert passed(deliveries=Deliveries(9, 0, 0, 0))
    assert not passed(verdict=None)
    assert not passed(verdict=Verdict(undone=1))
    assert not passed(stuck=["x"])
    assert not passed(restart_loops=["x"])
    assert passed(deliveries=Deliveries(9, 1, 0, 0))
    for name in ("never", "unknown"):
        assert not passed(deliveries=Deliveries(9, 0, 0, 0)._replace(**{name: 1}))


def test_a_ledger_as_json_names_its_numbers() -> None:
    ledger = Ledger(version="1", seed=1, workers=2, partitions=4, verdict=Verdict(lost=3, lines=("jobs lost: 3",)))
    written = msgspec.json.decode(encoded(ledger))
    assert (written["passed"], written["verdict"]["lost"], written["deliveries"]) == (False, 3, None)


def test_the_distribution_of_recoveries_is_by_nearest_rank() -> None:
    found = recovery([float(number) for number in range(100, 0, -1)])
    assert (found.count, found.p50, found.p99, found.max) == (100, 50.0, 99.0, 100.0)
    assert recovery([2.0]).p50 == recovery([2.0]).max == 2.0
    assert recovery([]).count == 0


def test_the_table_names_every_kill() -> None:
    ledger = Ledger(version="", seed=1, workers=2, partitions=4, kills={"device/stored": 2, "outside": 3})
    assert ("kills", "5, of these 2 at 1 steps of the checkpoint") in ledger.rows()
    assert ("  outside", "3") in ledger.rows()
