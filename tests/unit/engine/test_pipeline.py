"""A batch from raw records to what is written (contract §3, §4; faults S6, S8, S9, S15, S18)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.config import App, Configuration, Endpoint, Partner, Postback, Source
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from schemas.job import Job
from schemas.report import ReportRow
from streams.attribution import fold, periods
from streams.engine.counts import COUNT_PREFIX, told
from streams.engine.pipeline import Holds, Limits, Names, Output, Pipeline, Raw, WrongPartition
from streams.kafka import LARGEST_DEAD_LETTER, partition_of
from streams.postbacks.decide import Level, decide

APP = App(id="game", project="p", platform="android", bundle_id="game", device_key=("google_aid", "user_id"))
INSTALLS = Source(topic="installs", record="install")
EVENTS = Source(topic="events", record="event")
EVENT_NAMES = ("install", "payment", "first_payment", "payment_ca", "first_payment_ca", "re_engagement", "event:win")
T0 = 1_767_323_045_000
GRACE = APP.install_grace


def configuration(url: str = "https://x.example/?e={event}&n={attribution_number}&p={publisher_name}") -> Configuration:
    postbacks = tuple(
        Postback(
            id=event,
            title="",
            app=APP.id,
            partner="acme",
            event=event,
            endpoint=Endpoint(url=url),
            delivery_method="all",
        )
        for event in EVENT_NAMES
    )
    partners = (Partner(id="acme", name="Acme"),)
    return Configuration(generation=1, sources=(INSTALLS, EVENTS), apps=(APP,), partners=partners, postbacks=postbacks)


class Lane:
    """One partition as the engine keeps it: rows, holds, and all that was ever written."""

    def __init__(
        self,
        limits: Limits | None = None,
        config: Configuration | None = None,
        level: Level = "off",
        worker: str = "",
    ) -> None:
        names = Names("delivery", "decisions", "dead-letters", "users", worker)
        self.pipeline = Pipeline(names, level, limits or Limits(), partition_of)
        self.pipeline.configure(config or configuration())
        self.rows: dict[bytes, bytes] = {}
        self.holds = Holds()
        self.written: list[tuple[str, bytes]] = []
        self.counts: Counter[tuple[str, ...]] = Counter()

    def run(self, records: Sequence[Raw], progress: int | None = None, now: int = T0) -> Output:
        output = self.pipeline.process(
            0, records, progress, now, lambda keys: [*map(self.rows.get, keys)], self.holds, 1
        )
        for key, value in output.puts.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.written += [(one.topic, one.value) for one in output.outgoing]
        self.counts += output.counts
        return output

    @property
    def jobs(self) -> list[Job]:
        return [msgspec.json.decode(value, type=Job) for topic, value in self.written if topic == "delivery"]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        return [msgspec.json.decode(v, type=DeadLetter) for topic, v in self.written if topic == "dead-letters"]

    @property
    def report(self) -> dict[bytes, ReportRow]:
        """The rows of the report topic, when all are told."""
        rows = [told(key, value) for key, value in self.rows.items() if key.startswith(COUNT_PREFIX)]
        return {key: msgspec.json.decode(value, type=ReportRow) for key, value in rows}

    @property
    def fired(self) -> list[str]:
        return sorted(job.event for job in self.jobs)


def install(at: int = 0, *, device: str = "a", offset: int = 0, **fields: Any) -> Raw:
    """An install appended and happened `at` ms after T0."""
    record = {"id": f"i{at}", "app_id": "game", "google_aid": device, "install_timestamp": T0 + at} | fields
    return Raw("installs", 0, offset, T0 + at, f"game|{device}".encode(), json.dumps(record).encode(), INSTALLS)


def event(at: int = 0, *, device: str = "a", name: str = "payment", offset: int = 0, **fields: Any) -> Raw:
    """An event appended and happened `at` ms after T0."""
    own = {"id": f"e{at}", "app_id": "game", "google_aid": device, "event_name": name, "event_timestamp": T0 + at}
    return Raw("events", 0, offset, T0 + at, f"game|{device}".encode(), json.dumps(own | fields).encode(), EVENTS)


def bad(value: bytes | None, at: int = 0) -> Raw:
    return Raw("events", 0, 5, T0 + at, b"k", value, EVENTS)


ALL_OF_A_FIRST_PAYMENT = ["first_payment", "first_payment_ca", "install", "payment", "payment_ca"]


def test_an_install_and_a_payment_give_their_jobs() -> None:
    lane = Lane()
    lane.run([install(), event(1000)])
    assert lane.fired == ALL_OF_A_FIRST_PAYMENT


def test_an_event_of_an_unknown_device_waits_for_the_install_grace() -> None:
    lane = Lane()
    lane.run([event()], progress=T0 + GRACE)
    assert (lane.fired, lane.holds.records) == ([], 1)
    lane.run([], progress=T0 + GRACE + 1)
    assert (lane.fired, lane.holds.records) == (["first_payment", "first_payment_ca", "payment", "payment_ca"], 0)


def test_an_install_that_comes_inside_the_grace_goes_first() -> None:
    lane = Lane()
    lane.run([event(), install(GRACE, publisher_name="acme")])
    assert lane.fired == ALL_OF_A_FIRST_PAYMENT
    assert {job.request.url[0][-7:] for job in lane.jobs} == {"&p=acme"}  # type: ignore[index]


def test_a_record_appended_after_the_grace_releases_what_waited_before_it() -> None:
    lane = Lane()
    lane.run([event(), install(GRACE + 1, publisher_name="acme")])
    payments = [job for job in lane.jobs if job.event == "payment"]
    assert [str(job.request.url[0])[-3:] for job in payments] == ["&p="]
    assert lane.fired == ALL_OF_A_FIRST_PAYMENT


def test_the_index_of_holds_is_found_again_in_the_rows() -> None:
    lane = Lane()
    lane.run([event(), event(5, device="b"), event(9)])
    found = Holds.load([row for row in lane.rows.items() if row[0].startswith(b"h")])
    assert (found.records, found.next_due()) == (3, T0 + GRACE)
    lane.run([], progress=T0 + GRACE + 6)
    assert [key for key in lane.rows if key.startswith(b"h")] == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "null"),
        (b"{", "undecodable"),
        (b"[]", "undecodable"),
        (b"\xff", "undecodable"),
        (b'{"event_name":"payment"}', "invalid"),
        (b'{"app_id":"game"}', "invalid"),
        (b'{"app_id":"game","event_name":5,"google_aid":"a"}', "invalid"),
        (b'{"app_id":"game","event_name":"payment"}', "no_identifier"),
        (b'{"app_id":"game","event_name":"payment","google_aid":"a","event_timestamp":1}', "time"),
        (b'{"app_id":"game","event_name":"payment","google_aid":"a","event_timestamp":"soon"}', "invalid"),
    ],
)
def test_bad_input_is_a_dead_letter_and_the_next_record_is_decided(value: bytes | None, reason: str) -> None:
    lane = Lane()
    output = lane.run([install(), bad(value), event(1000)])
    (letter,) = lane.dead_letters
    assert (letter.reason, letter.value, letter.topic, letter.partition, letter.offset) == (
        reason,
        value,
        "events",
        0,
        5,
    )
    assert (output.taken, lane.fired) == (3, ALL_OF_A_FIRST_PAYMENT)
    assert lane.counts["dead_letters_total", "input", reason] == 1
    assert lane.counts["records_total", "events", "dead_letter"] == 1


def test_an_append_time_that_is_no_millisecond_is_a_dead_letter_and_nothing_stops() -> None:
    lane = Lane()
    far = [
        event(1)._replace(appended=T0 * 1_000),
        event(2, event_timestamp=None)._replace(appended=T0 * 1_000),
        event(3, event_timestamp=None)._replace(appended=1 << 60),
        event(4, event_timestamp=T0 * 1_000)._replace(appended=T0 * 1_000),
    ]
    output = lane.run([install(), event(), *far], progress=1 << 61)
    assert [letter.reason for letter in lane.dead_letters] == ["time"] * 4
    assert (output.taken, lane.fired) == (6, ALL_OF_A_FIRST_PAYMENT)
    # The last millisecond that has a day is one like any other.
    lane.run([event(5, event_timestamp=None)._replace(appended=253_402_300_799_999)], progress=1 << 61)
    assert "9999-12-31" in {row.day for row in lane.report.values()}


def test_a_record_that_is_too_large_is_a_dead_letter_with_its_raw_bytes() -> None:
    lane = Lane()
    raw = event(0, params={"x": "y" * 1_000_000})
    lane.run([raw])
    (letter,) = lane.dead_letters
    assert (letter.reason, letter.value) == ("too_large", raw.value)


def test_a_record_of_an_app_that_is_not_configured_is_ignored_and_counted() -> None:
    lane = Lane()
    lane.run([install(0, app_id="other")])
    assert (lane.written, lane.rows) == ([], {})
    assert lane.counts["records_total", "installs", "unknown_app"] == 1


@pytest.mark.parametrize("offset", [0, 1])
def test_a_record_in_the_wrong_partition_stops_before_anything_is_decided(offset: int) -> None:
    lane = Lane()
    device = next(name for name in "abcdefgh" if partition_of(f"game|{name}".encode(), 2) == 1)
    good = next(name for name in "abcdefgh" if partition_of(f"game|{name}".encode(), 2) == 0)
    records = [install(0, device=good), install(1, device=device, offset=offset)]
    with pytest.raises(WrongPartition, match=r"installs partition 0 .* belongs to partition 1 of 2"):
        lane.pipeline.process(0, records, None, T0, lambda keys: [None for _ in keys], lane.holds, 2)


@pytest.mark.parametrize(("keyed", "said"), [(True, "set partitioner=murmur2_random"), (False, "as the Kafka key and")])
def test_a_record_in_the_wrong_partition_says_whether_the_key_or_the_partitioner_is_wrong(
    keyed: bool, said: str
) -> None:
    device = next(name for name in "abcdefgh" if partition_of(f"game|{name}".encode(), 2) == 1)
    raw = install(0, device=device)._replace(key=f"game|{device}".encode() if keyed else b"x", offset=0)
    lane = Lane()
    with pytest.raises(WrongPartition) as raised:
        lane.pipeline.process(0, [raw], None, T0, lambda keys: [None for _ in keys], lane.holds, 2)
    assert said in str(raised.value)
    assert ("its Kafka key is right" in str(raised.value)) == keyed


def test_a_rule_that_raises_is_a_dead_letter_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = periods.process

    def raising(device: Any, entry: Any, *more: Any) -> Any:
        fact = plain(device, entry, *more)
        if entry.id == "bad":
            raise RuntimeError("a bug")
        return fact

    monkeypatch.setattr(fold, "process", raising)
    hurt, well = Lane(), Lane()
    hurt.run([install(), event(5, id="bad"), event(1000)])
    well.run([install(), event(1000)])
    assert hurt.rows == well.rows
    assert hurt.fired == well.fired
    (letter,) = hurt.dead_letters
    assert (letter.reason, letter.detail) == ("internal", "RuntimeError: a bug")


def test_a_postback_that_raises_is_a_dead_letter_and_the_record_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*given: Any) -> Any:
        if given[1].entry.id == "bad":
            raise RuntimeError("a bug")
        return plain(*given)

    plain = decide
    monkeypatch.setattr("streams.engine.telling.decide", raising)
    lane = Lane()
    lane.run([install(), event(5, id="bad"), event(1000)])
    (letter,) = lane.dead_letters
    assert letter.reason == "internal"
    assert letter.detail.startswith("RuntimeError: a bug")
    assert lane.fired == ["install", "payment", "payment_ca"], "the firsts were those of the record before"


def test_a_release_that_raises_is_a_dead_letter_once_and_the_next_device_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = periods.process

    def raising(device: Any, entry: Any, *more: Any) -> Any:
        if entry.id == "bad":
            raise RuntimeError("a bug")
        return plain(device, entry, *more)

    monkeypatch.setattr(fold, "process", raising)
    lane = Lane()
    lane.run([event(0, id="bad"), event(5, device="b")])
    lane.run([], progress=T0 + GRACE + 10)
    (letter,) = lane.dead_letters
    assert letter.reason == "internal"
    assert (Counter(lane.fired)["payment"], len(lane.holds)) == (1, 0)
    assert not lane.run([], progress=T0 + 2 * GRACE).outgoing


def test_a_job_that_is_too_large_is_a_dead_letter() -> None:
    lane = Lane(Limits(record_bytes=3_000), configuration("https://x.example/?x={params.x|json}"))
    lane.run([install(), event(1000, params={"x": " " * 1_000})])
    assert lane.fired == ["install"]
    assert {letter.reason for letter in lane.dead_letters} == {"too_large"}
    assert len(lane.dead_letters) == 4


def test_a_decision_tells_only_as_many_verdicts_as_fit_into_a_record() -> None:
    many = configuration()
    (payment,) = (postback for postback in many.postbacks if postback.id == "payment")
    paused = tuple(msgspec.structs.replace(payment, id=f"paused-{n}", status="paused") for n in range(100))
    lane = Lane(Limits(record_bytes=3_000), msgspec.structs.replace(many, postbacks=paused), level="nos")
    lane.run([install(), event(1000)])
    (decision,) = (msgspec.json.decode(value, type=Decision) for topic, value in lane.written if topic == "decisions")
    assert 0 < len(decision.verdicts) < 100


def test_a_state_that_would_be_too_large_refuses_the_record_and_keeps_the_rest() -> None:
    lane = Lane(Limits(record_bytes=10_000))
    month = 31 * 86_400_000
    records = [install(at * month, publisher_name="acme", s_ad="y" * 2_000) for at in range(10)]
    lane.run(records)
    assert {letter.reason for letter in lane.dead_letters} == {"too_large"}
    assert 0 < lane.counts["records_total", "installs", "processed"] < 10
    assert all(len(row) <= 10_000 for row in lane.rows.values())


def test_a_device_that_holds_more_than_a_state_may_is_released_and_loses_nothing() -> None:
    lane = Lane(Limits(record_bytes=10_000))
    lane.run([event(at, params={"x": "y" * 2_000}) for at in range(10)])
    assert lane.dead_letters == []
    assert (Counter(lane.fired)["payment"], lane.holds.records) == (10, 0)
    assert all(len(row) <= 10_000 for row in lane.rows.values())


def test_a_duplicate_that_finds_its_device_holding_too_much_is_told_all_the_same() -> None:
    lane = Lane(Limits(record_bytes=10_000))
    held = [event(0, params={"x": "y" * 3_000}), event(1, params={"x": "y" * 3_000})]
    lane.run(held)
    smaller = Lane(Limits(record_bytes=5_000))
    smaller.rows, smaller.holds = lane.rows, lane.holds
    smaller.run([held[0]])
    assert smaller.counts["records_total", "events", "duplicate"] == 1
    assert Counter(smaller.fired)["payment"] == 2


def test_many_records_that_are_refused_one_after_the_other_cost_no_more_than_good_ones() -> None:
    folds = 0

    def counted(*given: Any) -> Any:
        nonlocal folds
        folds += 1
        return plain(*given)

    plain, lane = fold.fold, Lane(Limits(record_bytes=3_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold, "fold", counted)
        lane.run([install(at) for at in range(900)])
    assert len(lane.dead_letters) > 300
    assert folds < 3 * 900


@pytest.mark.parametrize("field", ["id", "google_aid", "event_name"])
def test_names_that_would_blow_up_what_is_written_are_refused(field: str) -> None:
    lane = Lane()
    lane.run([event(**{field: "x" * 900_000})])
    (letter,) = lane.dead_letters
    assert letter.reason == "too_large"
    assert letter.detail.endswith("has 900,000 characters, expected at most 1,000")
    lane.run([event(1, **{field: "x" * 1_000})], progress=T0 + GRACE + 2)
    assert any(key[0] == "derived_events_total" for key in lane.counts)


@pytest.mark.parametrize(
    ("key", "value"), [(b"k", b"\xff" * 5_000_000), (b"k" * 1_000_000, b"{"), (b"k" * 1_000_000, None)]
)
def test_a_dead_letter_fits_into_its_topic(key: bytes, value: bytes | None) -> None:
    lane = Lane()
    lane.run([bad(value)._replace(key=key)])
    (letter,) = lane.written
    assert len(letter[1]) + min(len(key), 50_000) < LARGEST_DEAD_LETTER - 10_000


def test_a_configuration_that_cannot_be_used_leaves_the_old_one_whole() -> None:
    lane = Lane()
    wrong = Source(topic="events", record="event", mapping={"nonsense": "x"})
    with pytest.raises(ValueError, match="nonsense"):
        lane.pipeline.configure(msgspec.structs.replace(configuration("https://new.example/"), sources=(wrong,)))
    lane.run([install()])
    assert str(lane.jobs[0].request.url[0]).startswith("https://x.example/")


def test_what_waits_of_an_app_that_was_removed_is_released_when_the_app_is_back() -> None:
    lane = Lane()
    lane.run([event()])
    lane.pipeline.configure(msgspec.structs.replace(configuration(), apps=(), postbacks=()))
    lane.run([], progress=T0 + GRACE + 1)
    assert (lane.fired, lane.holds.records) == ([], 1)
    lane.pipeline.configure(configuration())
    lane.run([], progress=T0 + 2 * 3_600_000)
    assert (Counter(lane.fired)["payment"], lane.holds.records) == (1, 0)
    assert [key for key in lane.rows if key.startswith(b"h")] == []


def test_no_more_devices_are_released_at_once_than_the_limit() -> None:
    lane = Lane(Limits(releases=3))
    lane.run([event(at, device=f"d{at}") for at in range(7)])
    more = [lane.run([], progress=T0 + GRACE + 10).more for _ in range(3)]
    assert more == [True, True, False]
    assert Counter(lane.fired)["payment"] == 7


def test_records_behind_the_limit_of_releases_are_not_taken() -> None:
    lane = Lane(Limits(releases=3))
    lane.run([event(at, device=f"d{at}") for at in range(7)])
    later = [event(GRACE + 100, device="z")]
    taken: list[int] = []
    while not taken or not taken[-1]:
        taken.append(lane.run(later).taken)
    assert taken == [0, 0, 1]


def test_a_device_that_holds_too_many_records_is_released() -> None:
    lane = Lane(Limits(held_records=3))
    lane.run([event(at) for at in range(4)])
    assert (Counter(lane.fired)["payment"], lane.holds.records) == (4, 0)
    assert lane.counts["records_total", "events", "held"] == 3
    assert lane.counts["records_total", "events", "processed"] == 1


def test_custom_events_that_no_postback_fires_on_share_one_label() -> None:
    lane = Lane()
    lane.run([install(), event(1, name="win"), event(2, name="made-up-1"), event(3, name="made-up-2")])
    labels = {key[2] for key in lane.counts if key[0] == "derived_events_total" and ":" in key[2]}
    assert "event:win" in labels
    assert "event:*" in labels
    assert not any("made-up" in label for label in labels)


HISTORIES = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(("install", "payment", "win", "launch")),
        st.integers(0, 40),
        st.booleans(),
    ),
    max_size=25,
)


def history(steps: list[tuple[str, str, int, bool]]) -> list[Raw]:
    """Records in merged order; each step moves append time on by up to 40 days' thousandths, so that windows are
    crossed.
    """
    records, now = [], 0
    for number, (device, name, gap, touched) in enumerate(steps):
        now += gap * 86_400_000 // 10 if gap > 20 else gap * 10_000
        touch = {"publisher_name": "acme"} if touched else {}
        make = install if name == "install" else event
        more = {} if name == "install" else {"name": name}
        records.append(make(now, device=device, id=f"r{number}", **touch, **more))
    return records


@settings(max_examples=150)
@given(HISTORIES, st.lists(st.integers(0, 25), max_size=6))
def test_any_batch_boundaries_give_the_same_jobs_and_the_same_state(
    steps: list[tuple[str, str, int, bool]], cuts: list[int]
) -> None:
    records = history(steps)
    whole, parts = Lane(), Lane()
    whole.run(records)
    edges = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    for start, end in pairwise(edges):
        parts.run(records[start:end])
    assert parts.written == whole.written
    assert parts.rows == whole.rows
    assert parts.counts == whole.counts


@settings(max_examples=50)
# A payment is held; before its install comes the clock is ten days on.
@example([("a", "payment", 0, False), ("b", "launch", 1, False), ("a", "install", 1, True)], [0, 864_000_000])
@given(HISTORIES, st.lists(st.integers(-86_400_000 * 400, 86_400_000 * 400), max_size=25))
def test_the_clock_of_the_machine_changes_no_job_and_no_state(
    steps: list[tuple[str, str, int, bool]], jumps: list[int]
) -> None:
    """Faults S15."""
    even, jumping = Lane(), Lane()
    for number, record in enumerate(history(steps)):
        even.run([record])
        jumping.run([record], now=T0 + (jumps[number] if number < len(jumps) else 0))
    assert [job.job_id for job in jumping.jobs] == [job.job_id for job in even.jobs]
    assert [job.request for job in jumping.jobs] == [job.request for job in even.jobs]
    # The rows of the report say when they were written.
    assert {key: row for key, row in jumping.rows.items() if key[:1] in b"dh"} == {
        key: row for key, row in even.rows.items() if key[:1] in b"dh"
    }


@settings(max_examples=150)
@given(HISTORIES, st.data())
def test_any_duplication_gives_the_same_jobs_once(steps: list[tuple[str, str, int, bool]], data: st.DataObject) -> None:
    records = history(steps)
    doubled = []
    for number, record in enumerate(records):
        doubled.append(record)
        again = data.draw(st.lists(st.integers(0, number), max_size=2)) if number else []
        doubled += [records[one]._replace(appended=record.appended) for one in again]
    once, twice = Lane(), Lane()
    once.run(records)
    twice.run(doubled)
    assert sorted(job.job_id for job in twice.jobs) == sorted(job.job_id for job in once.jobs)
    assert len({job.job_id for job in twice.jobs}) == len(twice.jobs)
