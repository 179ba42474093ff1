"""Contract §4: first and current attribution, activity and the inactivity window."""

from __future__ import annotations

import pytest

from streams.attribution.state import KEPT, Reason
from tests.unit.attribution.timeline import DAY, HOUR, START, Timeline


def live(**settings: object) -> Timeline:
    """A device that nothing is held of, installed at 0 by acme."""
    device = Timeline(install_grace=0, **settings)  # type: ignore[arg-type]
    device.install(0, "acme")
    return device


# First attribution


def test_the_first_attribution_is_that_of_the_first_install() -> None:
    device = Timeline()
    assert device.install(0, "acme/initech") == ["install #1 acme/initech"]
    assert device.known.attributions[0].reason is Reason.INSTALL


def test_an_install_without_a_touch_is_organic() -> None:
    device = Timeline()
    assert device.install(0) == ["install #1 organic"]


def test_the_first_attribution_never_changes() -> None:
    device = live()
    device.event("launch", 40 * DAY, "globex")
    device.install(80 * DAY, "initech")
    assert device.event("payment", 80 * DAY + 1)[0] == "payment #1 acme"
    assert device.sources() == ["acme", "globex", "initech"]


def test_the_first_attribution_of_a_device_that_appears_by_an_event_starts_with_it() -> None:
    device = Timeline(install_grace=0)
    device.event("coins", 5)
    first = device.known.attributions[0]
    assert (first.number, first.start, first.reason) == (1, START + 5, Reason.FIRST_RECORD)


# Re-engagement


def test_an_activity_more_than_the_inactivity_window_after_the_clock_restarts_the_current_attribution() -> None:
    device = live()
    assert device.event("launch", 30 * DAY + 1, "globex") == [
        "re_engagement #2 globex",
        "app_open #1 acme",
        "session #2 globex",
    ]


def test_exactly_the_inactivity_window_is_no_re_engagement() -> None:
    device = live()
    assert device.event("launch", 30 * DAY, "globex") == ["app_open #1 acme", "session #1 acme"]
    assert device.sources() == ["acme"]


def test_the_inactivity_window_is_the_apps() -> None:
    device = live(inactivity_window=HOUR)
    assert device.event("launch", HOUR) == ["app_open #1 acme"]
    assert device.event("launch", 2 * HOUR + 1)[0] == "re_engagement #2 organic"


@pytest.mark.parametrize("name", ["registration", "authorization", "launch", "visit", "impression", "payment"])
def test_these_are_activities(name: str) -> None:
    device = live()
    device.event(name, 29 * DAY)
    assert device.clock() == 29 * DAY
    assert device.event(name, 60 * DAY)[0] == "re_engagement #2 organic"


@pytest.mark.parametrize("name", ["custom_payment", "uninstall", "coins", "install"])
def test_these_are_none(name: str) -> None:
    device = live()
    device.event(name, 29 * DAY)
    assert device.clock() == 0
    device.event(name, 60 * DAY, "globex")
    assert device.sources() == ["acme"]
    assert device.clock() == 0


def test_activities_keep_the_device_awake() -> None:
    device = live()
    for month in range(1, 12):
        device.event("launch", month * 30 * DAY)
    assert device.sources() == ["acme"]


def test_a_re_engagement_without_an_eligible_touch_makes_the_current_attribution_organic() -> None:
    device = live()
    device.event("launch", 40 * DAY, "globex", click=0)
    assert device.sources() == ["acme", "organic"]
    assert device.event("payment", 40 * DAY + 1)[1] == "payment_ca #2 organic"


def test_or_keeps_the_previous_source_with_a_new_number_if_the_app_wants_it() -> None:
    device = live(reattribute_to_organic=False)
    assert device.event("launch", 40 * DAY)[0] == "re_engagement #2 acme"
    assert device.install(80 * DAY) == ["re_install #3 acme"]
    device.event("launch", 120 * DAY, "globex")
    device.event("launch", 160 * DAY)
    assert device.sources() == ["acme", "acme", "acme", "globex", "globex"]


def test_a_touch_inside_the_inactivity_window_restarts_nothing_on_mobile() -> None:
    device = live()
    for name in ("launch", "visit", "payment"):
        device.event(name, DAY, "globex")
    assert device.sources() == ["acme"]


def test_an_assumed_device_re_engages_like_any_other() -> None:
    device = Timeline(install_grace=0)
    device.event("coins", 0)
    assert device.event("launch", 31 * DAY, "acme")[0] == "re_engagement #2 acme"


# Re-install and reinstall


def test_an_install_after_at_least_the_inactivity_window_is_a_re_install() -> None:
    device = live()
    assert device.install(30 * DAY, "globex") == ["re_install #2 globex"]
    assert device.clock() == 30 * DAY
    assert device.known.attributions[1].reason is Reason.RE_INSTALL


def test_a_re_install_without_a_touch_is_organic() -> None:
    device = live()
    assert device.install(30 * DAY) == ["re_install #2 organic"]


def test_an_install_inside_the_inactivity_window_is_a_reinstall_that_changes_nothing() -> None:
    device = live()
    before = device.known
    assert device.install(30 * DAY - 1, "globex") == ["reinstall"]
    before.seen = device.known.seen
    assert device.known == before
    assert device.last.derived == ()


def test_a_reinstall_does_not_move_the_clock() -> None:
    device = live()
    device.install(29 * DAY)
    assert device.event("launch", 30 * DAY + 1)[0] == "re_engagement #2 organic"


def test_the_window_of_a_re_install_is_without_activity() -> None:
    device = live()
    device.event("launch", DAY)
    assert device.install(31 * DAY - 1) == ["reinstall"]
    assert device.install(31 * DAY) == ["re_install #2 organic"]


def test_a_custom_event_does_not_delay_a_re_install() -> None:
    device = live()
    device.event("coins", 29 * DAY)
    assert device.install(30 * DAY) == ["re_install #2 organic"]


def test_a_re_install_starts_the_clock_so_that_the_next_activity_is_no_re_engagement() -> None:
    device = live()
    device.install(40 * DAY, "globex")
    assert device.event("launch", 40 * DAY + 1) == ["app_open #1 acme", "session #2 globex"]
    assert len(device.sources()) == 2


# Numbers


def test_each_start_has_a_number() -> None:
    device = live()
    for time in range(1, 40):
        device.event("launch", time * 31 * DAY, f"p{time + 1}")
        assert device.known.attributions[-1].number == time + 1


def test_the_16_newest_attributions_and_the_first_are_kept() -> None:
    device = live()
    for time in range(1, 40):
        device.event("launch", time * 31 * DAY)
    assert [one.number for one in device.known.attributions] == [1, *range(40 - KEPT + 1, 41)]


def test_the_facts_tell_the_time_of_the_install() -> None:
    device = live()
    device.event("launch", 1)
    assert device.last.installed_at == START
    device.install(80 * DAY)
    assert device.last.installed_at == START


def test_a_fact_that_was_handed_out_keeps_its_source_when_the_attribution_is_claimed() -> None:
    device = Timeline()
    device.install(0)
    fact = device.last
    device.install(1, "acme")
    assert fact.derived[0].attribution.touch is None
