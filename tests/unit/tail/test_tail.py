"""Which receipts are asked for, their order over partitions, the last ones, and a line of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.receipt import Receipt
from streams.tail import meant
from streams.tail.asked import Asked, read
from streams.tail.last import Window, firsts
from streams.tail.lines import HEADER, Columns, cells
from streams.tail.ordering import Merge
from tests.support.sending import configuration, partner_named

AT = 1_800_000_000_123


def receipt(**more: Any) -> Receipt:
    own: dict[str, Any] = {
        "kind": "attempt",
        "job_id": "j",
        "postback_id": "acme-install",
        "partner": "acme",
        "app_id": "game",
        "event": "install",
        "record_id": "r",
        "attempt": 1,
        "outcome": "failed",
        "status": 503,
        "error": None,
        "at": AT,
        "next_at": AT + 29_600,
        "duration_ms": 12.4,
        "address": "127.0.0.1:80",
        "response": "busy",
        "generation": 1,
        "replay": False,
    }
    return Receipt(**(own | more))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (Asked(), True),
        (Asked(partners=frozenset({"acme", "other"})), True),
        (Asked(partners=frozenset({"other"})), False),
        (Asked(postbacks=frozenset({"other"})), False),
        (Asked(apps=frozenset({"other"})), False),
        (Asked(events=frozenset({"payment"})), False),
        (Asked(outcomes=frozenset({"failed"}), kinds=frozenset({"terminal"})), False),
        (Asked(outcomes=frozenset({"delivered"})), False),
        (Asked(jobs=frozenset({"j"}), records=frozenset({"r"})), True),
        (Asked(jobs=frozenset({"i"})), False),
        (Asked(records=frozenset({"q"})), False),
        (Asked(statuses=((404, 404), (500, 599))), True),
        (Asked(statuses=((200, 299),)), False),
        (Asked(since=AT), True),
        (Asked(since=AT + 1), False),
    ],
)
def test_each_filter_counts(asked: Asked, wanted: bool) -> None:
    assert asked.wants(receipt()) is wanted


def test_a_status_filter_leaves_out_what_had_no_answer() -> None:
    assert not Asked(statuses=((200, 999),)).wants(receipt(status=None))


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"kind": 1}', b"\xff"])
def test_what_is_no_receipt_is_told_and_never_raised(value: bytes | None) -> None:
    assert isinstance(read(value), str)


def test_a_receipt_is_read() -> None:
    assert read(msgspec.json.encode(receipt())) == receipt()


def test_names_are_compared_with_the_configuration() -> None:
    known = meant.partners(configuration([partner_named("acme", aliases=("acme ads",))]))
    found = meant.meant("partner", ["acme ads", "acmee"], known)
    assert found.names == {"acme", "acmee"}
    assert found.doubts == ("there is no partner acmee in the configuration; did you mean acme?",)


partitions = st.dictionaries(st.integers(0, 4), st.lists(st.integers(0, 50), max_size=20).map(sorted), max_size=5)


@given(partitions, st.randoms(use_true_random=False))
def test_what_is_caught_up_with_comes_in_the_order_of_times(parts: dict[int, list[int]], chance: Any) -> None:
    merge = Merge[tuple[int, int]](parts)
    left = {place: list(times) for place, times in parts.items()}
    came: list[tuple[int, int]] = []
    while left:
        place = chance.choice(sorted(left))
        if left[place]:
            at = left[place].pop(0)
            merge.put(place, at, (place, at))
        else:
            del left[place]
            merge.reached_end(place)
        if chance.random() < 0.5:
            came += merge.take()
    came += merge.take()
    assert [at for _, at in came] == sorted(at for times in parts.values() for at in times)
    for place, times in parts.items():
        assert [at for one, at in came if one == place] == times


@given(st.lists(st.integers(0, 50), max_size=30))
def test_a_partition_keeps_its_own_order(times: list[int]) -> None:
    merge = Merge[int]([])
    for number, at in enumerate(times):
        merge.put("p", at, number)
    assert list(merge.take()) == list(range(len(times)))


def test_a_partition_that_cannot_be_read_holds_the_others_back_only_so_long() -> None:
    merge = Merge[int](["a", "b"], most=2)
    merge.put("a", 1, 1)
    merge.put("a", 2, 2)
    assert list(merge.take()) == []
    merge.put("a", 3, 3)
    assert list(merge.take()) == [1]


@given(partitions, st.integers(1, 12), st.data())
def test_the_last_ones_are_found_without_reading_all(
    parts: dict[int, list[int]], wanted: int, data: st.DataObject
) -> None:
    fits: Callable[[int], bool] = data.draw(
        st.sampled_from([lambda at: True, lambda at: at % 2 == 0, lambda at: False])
    )
    windows = {place: Window(0, len(times), len(times)) for place, times in parts.items()}
    for _ in range(50):
        older = firsts(windows, wanted)
        if not older:
            break
        for place, first in older.items():
            assert first < windows[place].first
            # A fetch is larger than these partitions; here it is one record.
            first = max(first, windows[place].first - 1)
            seen = parts[place][first:]
            windows[place] = Window(0, first, len(parts[place]), seen[0], tuple(filter(fits, seen)))
    found = sorted((at for window in windows.values() for at in window.fitting), reverse=True)[:wanted]
    assert found == sorted((at for times in parts.values() for at in times if fits(at)), reverse=True)[:wanted]


def test_a_line_lines_up_and_says_when_it_goes_on() -> None:
    columns = Columns(lambda text, outcome: f"<{text}>")
    lines = [
        columns.line(HEADER),
        columns.line(cells(receipt(error="timeout", status=None)), "failed"),
        columns.line(cells(receipt(kind="terminal", outcome="delivered", status=200, next_at=None, duration_ms=None))),
    ]
    assert lines[1] == (
        "2027-01-15T08:00:00.123Z  attempt 1   <failed    >  acme     acme-install  install       -     12 ms"
        "  timeout; again in 30 s"
    )
    assert lines[2] == ("2027-01-15T08:00:00.123Z  end         delivered   acme     acme-install  install     200")


def test_ids_are_there_when_asked_for() -> None:
    assert cells(receipt(replay=True), ids=True).more == "again in 30 s; replay; record r, job j"
