"""Contract §4, *Order*; faults S10."""

from __future__ import annotations

from streams.attribution.state import Device
from tests.unit.attribution.timeline import DAY, HOUR, Timeline


def periods() -> Timeline:
    """Installed at day 10 by acme, re-engaged by globex at day 50 and by initech at day 81; dedup window 60 days."""
    device = Timeline(install_grace=0, dedup_window=80 * DAY)
    device.install(10 * DAY, "acme")
    device.event("launch", 50 * DAY, "globex")
    device.event("launch", 81 * DAY, "initech")
    return device


def windows(device: Timeline) -> tuple[int, int, int]:
    known: Device = device.known
    return known.clock, known.newest, len(known.attributions)


def late(device: Timeline, name: str, at: int, by: str | None = None) -> list[str]:
    """The derived events by the current attribution, of a record that was processed late and moved no window."""
    before = windows(device)
    lines = device.event(name, at, by, appended=100 * DAY)
    assert device.last.late
    assert windows(device) == before
    return [line for line in lines if "_ca" in line]


def test_a_late_record_goes_to_the_attribution_period_in_which_its_time_lies() -> None:
    device = periods()
    assert late(device, "payment", 49 * DAY)[0] == "payment_ca #1 acme"
    assert late(device, "payment", 50 * DAY - 1)[0] == "payment_ca #1 acme"
    assert late(device, "payment", 50 * DAY)[0] == "payment_ca #2 globex"
    assert late(device, "payment", 81 * DAY - 1)[0] == "payment_ca #2 globex"


def test_before_all_it_goes_to_number_1() -> None:
    assert late(periods(), "payment", 9 * DAY)[0] == "payment_ca #1 acme"


def test_a_record_at_the_time_of_the_newest_is_not_late() -> None:
    device = periods()
    assert device.event("payment", 81 * DAY)[1] == "payment_ca #3 initech"
    assert not device.last.late


def test_it_may_take_a_first_that_nobody_has() -> None:
    device = periods()
    assert device.event("payment", 81 * DAY + 1)[2:] == ["first_payment #1 acme", "first_payment_ca #3 initech"]
    assert late(device, "payment", 60 * DAY) == ["payment_ca #2 globex", "first_payment_ca #2 globex"]
    assert late(device, "payment", 61 * DAY) == ["payment_ca #2 globex"]
    assert late(device, "payment", 20 * DAY) == ["payment_ca #1 acme", "first_payment_ca #1 acme"]


def test_it_may_take_the_first_of_the_lifetime() -> None:
    device = periods()
    device.event("payment", 20 * DAY, appended=100 * DAY)
    assert any(one.event == "first_payment" for one in device.last.derived)
    assert [line for line in device.event("payment", 100 * DAY) if line.startswith("first_payment #")] == []


def test_custom_events_have_firsts_of_their_periods_too() -> None:
    device = periods()
    assert late(device, "coins", 60 * DAY) == ["event_ca:coins #2 globex", "first_event_ca:coins #2 globex"]
    assert device.event("coins", 82 * DAY)[-1] == "first_event_ca:coins #3 initech"
    assert late(device, "coins", 61 * DAY) == ["event_ca:coins #2 globex"]
    assert late(device, "coins", 11 * DAY) == ["event_ca:coins #1 acme", "first_event_ca:coins #1 acme"]


def test_it_opens_no_attribution() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme")
    device.event("coins", 41 * DAY)
    assert device.event("launch", 40 * DAY, "globex", appended=41 * DAY) == ["app_open #1 acme", "session #1 acme"]
    assert device.sources() == ["acme"]
    assert device.clock() == 0


def test_a_late_activity_does_not_move_the_clock() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme")
    device.event("coins", 2 * DAY)
    device.event("launch", DAY, appended=2 * DAY)
    assert device.clock() == 0
    assert device.event("launch", 30 * DAY + 1)[0] == "re_engagement #2 organic"


def test_a_late_install_is_no_re_install() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme")
    device.event("coins", 41 * DAY)
    assert device.install(40 * DAY, "globex", appended=41 * DAY) == ["reinstall"]
    assert device.last.late


def test_a_late_event_never_re_engages_even_in_front_of_the_first_attribution() -> None:
    device = Timeline()
    device.install(40 * DAY, "acme")
    assert device.event("payment", 40 * DAY - HOUR, "globex", appended=40 * DAY)[:2] == [
        "payment #1 acme",
        "payment_ca #1 acme",
    ]


def test_firsts_of_a_period_are_forgotten_only_when_no_record_can_fall_into_it() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme")
    device.event("coins", DAY)
    device.event("launch", 40 * DAY, "globex")
    assert device.known.attributions[0].names
    device.event("coins", 40 * DAY)
    device.event("launch", 80 * DAY, "initech")
    names = [bool(one.names) for one in device.known.attributions]
    assert names == [False, True, False]
    assert late(device, "coins", 79 * DAY) == ["event_ca:coins #2 globex"]


def test_firsts_of_a_period_are_remembered_while_a_record_can_fall_into_it() -> None:
    device = periods()
    assert late(device, "coins", 11 * DAY)[-1] == "first_event_ca:coins #1 acme"
    device.event("launch", 90 * DAY)
    device.event("launch", 121 * DAY)
    assert device.sources() == ["acme", "globex", "initech", "organic"]
    assert late(device, "coins", 49 * DAY) == ["event_ca:coins #1 acme"]
