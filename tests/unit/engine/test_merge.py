"""The merge of a partition's sources (contract §4, *Merge*)."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.merge import WITHOUT_INSTALLS, Limits, Merge, Wait


class Record(NamedTuple):
    topic: str
    offset: int
    appended: int


INSTALLS, EVENTS, MORE = "installs", "events", "more-events"
#: Events come first in the configuration: that installs go first on ties must not hang on the order there.
SOURCES = [(EVENTS, False), (INSTALLS, True), (MORE, False)]
RANK = {INSTALLS: 0, EVENTS: 1, MORE: 2}


def records(topic: str, times: list[int]) -> list[Record]:
    return [Record(topic, offset, appended) for offset, appended in enumerate(times)]


def two() -> Merge[Record]:
    return Merge([(INSTALLS, True), (EVENTS, False)])


def test_a_record_waits_for_a_source_that_is_not_known_to_be_at_its_end():
    merge = two()
    merge.feed(EVENTS, records(EVENTS, [10]), 1)
    assert merge.take(100) == []
    assert merge.waits() == Wait((INSTALLS,), 10)


def test_an_end_at_the_same_moment_is_not_after_it():
    merge = two()
    merge.feed(EVENTS, records(EVENTS, [10, 11]), 2)
    merge.feed(INSTALLS, [], 0)
    merge.stood_at(INSTALLS, end=0, moment=10)
    assert merge.take(100) == []
    merge.stood_at(INSTALLS, end=0, moment=11)
    assert [record.appended for record in merge.take(100)] == [10]


def test_an_end_that_is_not_reached_yet_counts_from_when_it_is():
    merge = two()
    merge.feed(EVENTS, records(EVENTS, [10]), 1)
    merge.feed(INSTALLS, [], 3)
    merge.stood_at(INSTALLS, end=5, moment=20)
    assert merge.take(100) == []
    merge.feed(INSTALLS, [], 5)  # only control records were left
    assert [record.topic for record in merge.take(100)] == [EVENTS]


def test_installs_go_first_on_ties_then_the_order_of_the_sources():
    merge = Merge[Record](SOURCES)
    for topic in (MORE, EVENTS, INSTALLS):
        merge.feed(topic, records(topic, [5, 5, 9]), 3)
    assert [record.topic for record in merge.take(6)] == [INSTALLS] * 2 + [EVENTS] * 2 + [MORE] * 2


def test_a_source_read_past_the_record_does_not_make_it_wait():
    merge = two()
    merge.feed(INSTALLS, records(INSTALLS, [20]), 1)
    merge.stood_at(EVENTS, 0, 30)
    merge.feed(EVENTS, [], 0)
    assert len(merge.take(10)) == 1
    merge.feed(EVENTS, records(EVENTS, [19]), 1)
    assert len(merge.take(10)) == 1


def test_a_source_that_runs_ahead_is_not_asked_for_more():
    merge = Merge[Record]([(INSTALLS, True), (EVENTS, False)], Limits(records=3))
    merge.feed(EVENTS, records(EVENTS, [1, 2, 3]), 3)
    assert merge.wanted() == [INSTALLS]
    merge.stood_at(INSTALLS, 0, 100)
    merge.feed(INSTALLS, [], 0)
    merge.take(1)
    assert merge.wanted() == [INSTALLS, EVENTS]


def test_bytes_are_bounded_like_records():
    merge = Merge[Record]([(EVENTS, False)], Limits(records=100, size=1000, batch_size=500))
    merge.feed(EVENTS, records(EVENTS, [1, 2, 3, 4]), 4, size=1200)
    assert merge.wanted() == []
    assert len(merge.take(100)) == 2
    assert merge.wanted() == [EVENTS]
    assert len(merge.take(100)) == 2


def test_progress_is_what_all_sources_have_been_read_to():
    merge = two()
    assert merge.progress() == -1
    merge.feed(INSTALLS, records(INSTALLS, [10]), 1)
    assert merge.progress() == -1
    assert merge.empty() == (EVENTS,)
    merge.stood_at(EVENTS, 0, 50)
    merge.feed(EVENTS, [], 0)
    merge.take(10)
    assert merge.progress() == 10
    merge.stood_at(INSTALLS, 1, 60)
    assert merge.progress() == 50


def test_progress_does_not_pass_a_buffered_event_that_was_not_taken():
    """Or a backlog would release a hold before events that a live stream has read by then."""
    merge = two()
    merge.feed(INSTALLS, [], 0)
    merge.stood_at(INSTALLS, 0, 1_000)
    merge.feed(EVENTS, records(EVENTS, [10, 20]), 2)
    assert [record.appended for record in merge.take(1)] == [10]
    assert merge.progress() == 20
    merge.take(1)
    assert merge.progress() == 20, "more events may follow that were appended before the moment"


def test_without_install_sources_progress_is_endless():
    assert Merge[Record]([(EVENTS, False)]).progress() == WITHOUT_INSTALLS


@st.composite
def histories(draw: st.DrawFn) -> list[list[Record]]:
    times = st.lists(st.integers(0, 30), max_size=25)
    return [records(topic, sorted(draw(times))) for topic, _ in SOURCES]


def reference(history: list[list[Record]]) -> list[Record]:
    everything = [record for one in history for record in one]
    return sorted(everything, key=lambda record: (record.appended, RANK[record.topic], record.offset))


@settings(max_examples=300)
@given(histories(), st.data())
def test_any_way_of_reading_gives_the_same_order_and_no_record_goes_before_its_turn(history, data):
    """Fetches of any size in any order, look-ups at any moment, batches of any size: the order is that of the append
    times.
    """
    merge = Merge[Record](SOURCES, Limits(records=4))
    unread = {topic: list(one) for (topic, _), one in zip(SOURCES, history, strict=True)}
    position = dict.fromkeys(unread, 0)
    now = 0
    order: list[Record] = []
    for _ in range(600):
        step = data.draw(st.sampled_from(["fetch", "look", "take", "time"]))
        topic = data.draw(st.sampled_from(sorted(unread)))
        if step == "time":
            now += data.draw(st.integers(0, 10))
        elif step == "look":
            end = position[topic] + sum(1 for record in unread[topic] if record.appended <= now)
            merge.stood_at(topic, end, now)
        elif step == "fetch" and topic in merge.wanted():
            visible = [record for record in unread[topic] if record.appended <= now][: data.draw(st.integers(0, 5))]
            del unread[topic][: len(visible)]
            position[topic] += len(visible)
            merge.feed(topic, visible, position[topic])
        elif step == "take":
            order += merge.take(data.draw(st.integers(1, 6)))
            assert order == reference(history)[: len(order)]
        if len(order) == sum(map(len, history)):
            break


@given(histories())
def test_everything_goes_once_all_ends_are_known(history):
    merge = Merge[Record](SOURCES, Limits(records=1000))
    for (topic, _), one in zip(SOURCES, history, strict=True):
        merge.feed(topic, one, len(one))
        merge.stood_at(topic, len(one), 31)
    assert merge.take(1000) == reference(history)
    assert merge.waits() is None
    assert len(merge) == 0


@given(histories(), st.integers(0, 31))
def test_progress_never_passes_a_record_that_was_not_taken(history, moment):
    merge = Merge[Record](SOURCES, Limits(records=1000))
    for (topic, _), one in zip(SOURCES, history, strict=True):
        merge.feed(topic, one, len(one))
        merge.stood_at(topic, len(one), moment)
    taken = merge.take(7)
    left = [record.appended for one in history for record in one if record not in taken]
    assert all(appended >= merge.progress() for appended in left)


def test_it_is_unsure_of_what_is_later_than_another_source_is_known_to():
    merge = two()
    merge.feed(INSTALLS, records(INSTALLS, [5]), 1)
    merge.feed(EVENTS, records(EVENTS, [4, 10]), 2)
    assert merge.waits() is None, "the first may go"
    assert merge.unsure() == Wait((INSTALLS,), 10)
    merge.stood_at(INSTALLS, end=1, moment=11)
    assert merge.unsure() is None
    assert [record.appended for record in merge.take(100)] == [4, 5, 10]
    assert merge.unsure() is None, "nothing is buffered"


@given(
    st.lists(st.integers(0, 20), max_size=5),
    st.lists(st.integers(0, 20), max_size=5),
    st.lists(st.integers(0, 20), max_size=5),
    st.integers(0, 25),
)
def test_when_it_is_not_unsure_everything_goes_at_once(one: list[int], two: list[int], three: list[int], moment: int):
    merge = Merge[Record](SOURCES)
    for topic, times in zip((EVENTS, INSTALLS, MORE), (one, two, three), strict=True):
        merge.feed(topic, records(topic, sorted(times)), len(times))
        merge.stood_at(topic, end=len(times), moment=moment)
    unsure = merge.unsure()
    taken = merge.take(100)
    assert (len(taken) < len(one) + len(two) + len(three)) == (unsure is not None)
