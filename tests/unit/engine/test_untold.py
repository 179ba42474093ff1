"""What is told at last is what was counted, never more than is committed: whatever is told when, or lost between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.report import UNTOLD, ReportRow, UntoldMark
from streams.engine.counts import COUNT_PREFIX, told
from streams.engine.output import Output
from streams.engine.recovery import MARKER_KEY
from streams.engine.store import OWN_PREFIX
from streams.engine.untold import ALONE_S, LEAST_S, MOST_ROWS, NOTE_BYTES, NOTE_PREFIX, SPREAD_S, Untold, after
from tests.unit.reports.counting import events, postback

MARK = UntoldMark(stage="device", since=0, writer="w").key()
ROWS = [events(f"p{number}", writer="w") for number in range(5)] + [postback(writer="w", campaign_name='Wintér "x"')]


class Lane:
    """A partition: its `state`, which the changelog has too, and the report topic as readers of what is committed see
    it: `topic`, and `log` with every transaction's records.
    """

    def __init__(self) -> None:
        self.state: dict[bytes, bytes] = {}
        self.topic: dict[bytes, bytes] = {}
        self.log: list[dict[bytes, bytes | None]] = []
        self.now = 100.0
        self.open()

    def open(self) -> None:
        """As who has the partition next does."""
        self.untold = Untold("report", "device", 3, "w")
        self.untold.load([(key, value) for key, value in self.state.items() if key.startswith(NOTE_PREFIX)])

    def read(self, keys: list[bytes]) -> list[bytes | None]:
        return [self.state.get(key) for key in keys]

    def batch(self, *counted: tuple[ReportRow, dict[str, int]], commits: bool = True) -> Output:
        """A batch that counts so; one that is not committed is lost, with all that its worker knew."""
        output = Output(taken=1)
        for row, added in counted:
            key = COUNT_PREFIX + row.key()
            value = output.puts.get(key) or self.state.get(key)
            counts = msgspec.json.decode(value, type=dict[str, int]) if value else {}
            for name, many in added.items():
                counts[name] = counts.get(name, 0) + many
            output.puts[key] = msgspec.json.encode(counts)
            output.counted.append(key)
        self.untold.take(output, self.read, self.now, int(self.now * 1000))
        if commits:
            self.commit(output)
        else:
            self.open()
        return output

    def tell(self) -> None:
        """As who lets go of it does."""
        output = Output()
        self.untold.tell(output, self.read)
        self.commit(output)

    def commit(self, output: Output) -> None:
        self.log.append(output.told)
        for rows, new in ((self.state, output.puts), (self.topic, output.told)):
            for key, value in new.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value

    @property
    def wanted(self) -> dict[bytes, bytes]:
        """The rows as they must be told."""
        return dict(told(key, value) for key, value in self.state.items() if key.startswith(COUNT_PREFIX))

    @property
    def rows(self) -> dict[bytes, bytes]:
        """The rows that are told."""
        return {key: value for key, value in self.topic.items() if not key.startswith(UNTOLD)}

    def check(self) -> None:
        """What holds after each transaction: a reader that waits for no mark sees all that is committed, and one sees
        no count that is not.
        """
        wanted = self.wanted
        assert (MARK in self.topic) == self.untold.stands == any(key.startswith(NOTE_PREFIX) for key in self.state)
        assert MARK in self.topic or self.rows == wanted
        for key, value in self.rows.items():
            counts, all_of_it = (msgspec.json.decode(one, type=ReportRow).counts for one in (value, wanted[key]))
            assert all(many <= all_of_it[name] for name, many in counts.items())


COUNTED = st.lists(
    st.tuples(st.sampled_from(ROWS), st.dictionaries(st.sampled_from(["a", "b"]), st.integers(1, 3), min_size=1)),
    max_size=4,
    unique_by=lambda one: one[0].key(),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("batch"), COUNTED),
        st.tuples(st.just("lost"), COUNTED),
        st.tuples(st.just("crash"), st.none()),
        st.tuples(st.just("closed"), st.none()),
        st.tuples(st.just("wait"), st.floats(0, 1.5)),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(STEPS)
def test_whatever_happens_when_all_is_told_at_last_and_never_more_than_is_committed(
    steps: list[tuple[str, Any]],
) -> None:
    lane = Lane()
    for step, of in steps:
        if step == "wait":
            lane.now += of
        elif step == "crash":
            lane.open()
        elif step == "closed":
            lane.tell()
            lane.open()
        else:
            lane.batch(*of, commits=step == "batch")
        lane.check()
    lane.now += 1.0
    lane.batch()
    assert lane.topic == lane.wanted


@settings(max_examples=200)
@given(STEPS)
def test_what_a_reader_sees_who_has_waited_for_the_mark_is_all_that_was_decided_before(
    steps: list[tuple[str, Any]],
) -> None:
    """The check's way of reading: from any moment on until the mark that stood then has been written once more."""
    lane = Lane()
    begun: list[tuple[int, dict[bytes, bytes]]] = []
    for step, of in steps:
        if step == "wait":
            lane.now += of
        elif step == "crash":
            lane.open()
        elif step in ("batch", "lost"):
            lane.batch(*of, commits=step == "batch")
        begun.append((len(lane.log), lane.wanted))
    lane.now += 1.0
    lane.batch()
    for start, wanted in begun:
        seen = _seen(lane.log, start)
        for key, value in wanted.items():
            counts = msgspec.json.decode(value, type=ReportRow).counts
            found = msgspec.json.decode(seen[key], type=ReportRow).counts
            assert all(found[name] >= many for name, many in counts.items())


def _seen(log: list[dict[bytes, bytes | None]], start: int) -> dict[bytes, bytes]:
    seen: dict[bytes, bytes] = {}
    for number, records in enumerate(log):
        if number >= start and MARK not in seen:
            break
        for key, value in records.items():
            if key == MARK and number >= start:
                # The last one that is read of this transaction: it must be behind the rows.
                return seen
            if value is None:
                seen.pop(key, None)
            else:
                seen[key] = value
    return seen


def _counts(*rows: ReportRow) -> Iterator[tuple[ReportRow, dict[str, int]]]:
    for row in rows:
        yield row, {"a": 1}


def test_a_second_of_batches_tells_each_row_once() -> None:
    lane = Lane()
    first = lane.batch(*_counts(*ROWS))
    assert list(first.told) == [MARK]
    notes = [key for key in first.puts if key.startswith(NOTE_PREFIX)]
    assert len(notes) == 1
    while not lane.untold.due(lane.now):
        output = lane.batch(*_counts(*ROWS))
        assert not output.told
        assert not any(key.startswith(NOTE_PREFIX) for key in output.puts), "written with every batch"
        lane.now += 1 / 32
    output = lane.batch(*_counts(*ROWS))
    assert [*output.told] == [*(row.key() for row in ROWS), MARK]
    assert output.told[MARK] is not None, "where batches count the next one will too"
    assert lane.rows == lane.wanted
    # Without any the mark is taken away.
    lane.now += 1.0
    assert lane.untold.overdue(lane.now)
    assert lane.batch().told == {MARK: None}


def test_it_is_due_within_a_second_and_not_for_all_partitions_at_once() -> None:
    found = [after(stage, number) for stage in ("device", "user") for number in range(8)]
    assert min(found) >= LEAST_S
    assert max(found) + ALONE_S <= LEAST_S + SPREAD_S + ALONE_S <= 1.0
    for number, one in enumerate(sorted(found)[1:]):
        assert one - sorted(found)[number] > 0.001
    lane = Lane()
    lane.batch(*_counts(ROWS[0]))
    lane.now += after("device", 3) - 0.01
    assert not lane.untold.due(lane.now)
    lane.now += 0.02
    assert lane.untold.due(lane.now)
    assert not lane.untold.overdue(lane.now), "a batch may still come"
    lane.now += ALONE_S
    assert lane.untold.overdue(lane.now)


def test_what_another_has_left_untold_is_due_at_once() -> None:
    lane = Lane()
    lane.batch(*_counts(ROWS[0]))
    lane.open()
    assert lane.untold.overdue(lane.now)


def test_with_very_many_rows_it_is_time() -> None:
    lane = Lane()
    lane.batch(*_counts(*(events(f"p{number}", writer="w") for number in range(MOST_ROWS - 1))))
    assert not lane.untold.due(lane.now)
    output = lane.batch(*_counts(events("another", writer="w")))
    assert len(output.told) == MOST_ROWS + 1


def test_a_note_is_no_longer_than_a_record_may_be() -> None:
    lane = Lane()
    long = "é" * 250
    many = [events(f"{number}", writer="w", agency_name=long, campaign_id=long) for number in range(700)]
    lane.batch(*_counts(*many))
    notes = {key: value for key, value in lane.state.items() if key.startswith(NOTE_PREFIX)}
    assert len(notes) > 1
    assert max(map(len, notes.values())) < 2 * NOTE_BYTES
    lane.open()
    lane.tell()
    assert lane.topic == lane.wanted
    assert not any(key.startswith(NOTE_PREFIX) for key in lane.state)


def test_a_state_without_notes_has_nothing_untold() -> None:
    lane = Lane()
    lane.state[COUNT_PREFIX + ROWS[0].key()] = b'{"a":1}'
    lane.open()
    assert not lane.untold.stands
    assert not lane.untold.overdue(1e9)


def test_notes_are_rows_of_the_engine_and_not_of_the_state() -> None:
    assert NOTE_PREFIX.startswith(OWN_PREFIX)
    assert NOTE_PREFIX.startswith(MARKER_KEY)
    assert NOTE_PREFIX != MARKER_KEY


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_known_by_its_key(row: ReportRow) -> None:
    assert ReportRow.of(row.key(), {"x": 3}) == msgspec.structs.replace(row, counts={"x": 3})
    assert not row.key().startswith(UNTOLD)


def test_the_mark_says_since_when() -> None:
    lane = Lane()
    lane.batch(*_counts(ROWS[0]))
    found = msgspec.json.decode(lane.topic[MARK], type=UntoldMark)
    assert found == UntoldMark(stage="device", since=100_000, writer="w")
