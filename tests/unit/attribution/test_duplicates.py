"""Contract §3: duplicates, and records that are too late."""

from __future__ import annotations

import msgspec

from streams.attribution.marks import count_seen
from tests.unit.attribution.timeline import DAY, MINUTE, START, Timeline


def test_the_same_id_of_the_same_kind_is_a_duplicate_and_changes_nothing() -> None:
    device = Timeline()
    device.install(0, id="i")
    assert device.event("coins", 1, id="x") != ["duplicate"]
    before = device.known
    assert device.event("launch", 2, id="x") == ["duplicate"]
    assert device.install(3, "acme", id="i") == ["duplicate"]
    assert device.known == before


def test_an_install_and_an_event_may_have_the_same_id() -> None:
    device = Timeline()
    device.install(0, id="x")
    assert device.event("launch", 1, id="x") == ["app_open #1 organic"]


def test_a_duplicate_may_come_days_later() -> None:
    device = Timeline()
    device.install(0, id="i")
    device.event("launch", 2 * DAY, id="e")
    assert device.install(0, id="i", appended=3 * DAY) == ["duplicate"]
    assert device.event("launch", 2 * DAY, id="e", appended=4 * DAY) == ["duplicate"]


def test_a_reinstall_is_remembered_too() -> None:
    device = Timeline()
    device.install(0)
    assert device.install(1, id="again") == ["reinstall"]
    assert device.install(1, id="again") == ["duplicate"]


def test_a_record_more_than_the_dedup_window_before_the_newest_is_too_late() -> None:
    device = Timeline()
    device.install(0)
    device.event("coins", 5 * DAY)
    before = device.known
    assert device.event("launch", 3 * DAY - 1, appended=5 * DAY) == ["too_late"]
    assert device.known == before


def test_a_record_exactly_the_dedup_window_before_the_newest_is_not_too_late() -> None:
    device = Timeline()
    device.install(0)
    device.event("coins", 5 * DAY)
    assert device.event("launch", 3 * DAY, appended=5 * DAY) == ["app_open #1 organic", "session #1 organic"]


def test_the_dedup_window_is_the_apps() -> None:
    device = Timeline(dedup_window=MINUTE)
    device.install(0)
    device.event("launch", 2 * MINUTE)
    assert device.event("launch", MINUTE - 1, appended=2 * MINUTE) == ["too_late"]


def test_what_is_too_late_is_not_also_a_duplicate() -> None:
    device = Timeline()
    device.install(0, id="i")
    device.event("launch", 2 * DAY + 1)
    assert device.install(0, id="i", appended=3 * DAY) == ["too_late"]


def test_duplicates_do_not_count_for_the_newest() -> None:
    device = Timeline()
    device.install(0)
    device.event("launch", 1, id="e")
    device.event("launch", 9 * DAY, id="e")
    assert device.event("launch", 2) == ["app_open #1 organic"]
    assert device.known.newest == START + 2


def test_reinstalls_do_not_count_for_the_newest() -> None:
    device = Timeline()
    device.install(0)
    assert device.install(9 * DAY) == ["reinstall"]
    assert device.event("launch", 1, appended=9 * DAY) == ["app_open #1 organic"]
    assert not device.last.late


def test_held_records_do_not_count_for_the_newest_before_they_are_processed() -> None:
    device = Timeline(install_grace=DAY)
    device.install(0)
    device.event("launch", 31 * DAY)
    assert device.event("launch", 0, appended=31 * DAY) == ["held"]


def test_a_claim_counts_for_the_newest() -> None:
    device = Timeline().assumed()
    device.install(5 * DAY, "acme")
    assert device.event("launch", 3 * DAY - 1, appended=5 * DAY) == ["too_late"]


def test_a_late_record_does_not_move_the_newest_back() -> None:
    device = Timeline()
    device.install(0)
    device.event("launch", 3 * DAY)
    device.event("launch", 1 * DAY, appended=3 * DAY)
    assert device.event("launch", 1 * DAY - 1, appended=3 * DAY) == ["too_late"]


def test_a_late_install_is_too_late_even_for_a_device_that_was_assumed_organic() -> None:
    device = Timeline().assumed(3 * DAY)
    assert device.install(DAY - 1, "acme", appended=4 * DAY) == ["too_late"]
    assert device.install(DAY, "acme", appended=4 * DAY) == ["install #1 acme"]


def test_ids_are_forgotten_when_they_can_only_be_too_late() -> None:
    device = Timeline()
    device.install(0)
    for day in range(100):
        device.event("launch", day * DAY)
    assert count_seen(device.known.seen) == 4


def test_nothing_is_decided_twice_when_the_dedup_window_grows() -> None:
    device = Timeline()
    device.install(0, id="i")
    assert device.event("payment", 1, id="p")[0] == "payment #1 organic"
    for day in (5, 6):
        device.event("launch", day * DAY)
    device.app = msgspec.structs.replace(device.app, dedup_window=30 * DAY)
    assert device.event("payment", 1, id="p", appended=6 * DAY) == ["too_late"]
    assert device.event("launch", 5 * DAY - 1, appended=6 * DAY) == ["app_open #1 organic", "session #1 organic"]


def test_no_first_is_taken_twice_when_the_dedup_window_grows() -> None:
    device = Timeline()
    device.install(0, "acme")
    assert "first_event_ca:coins #1 acme" in device.event("coins", 1)
    device.event("launch", 40 * DAY, "globex")
    device.event("launch", 80 * DAY, "acme")
    device.app = msgspec.structs.replace(device.app, dedup_window=365 * DAY)
    assert device.event("coins", 2, appended=80 * DAY) == ["too_late"]
