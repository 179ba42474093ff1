"""Contract §4 for web apps: the last-visit model, no holds."""

from __future__ import annotations

from streams.attribution.state import Reason
from tests.unit.attribution.timeline import DAY, HOUR, START, Timeline


def test_the_first_record_is_the_first_attribution_with_its_own_touch() -> None:
    device = Timeline("web")
    assert device.event("registration", 0, "acme")[:2] == ["registration #1 acme", "registration_ca #1 acme"]
    first = device.known.attributions[0]
    assert (first.start, first.assumed) == (START, False)


def test_the_first_record_without_an_eligible_touch_is_organic() -> None:
    device = Timeline("web")
    device.event("visit", 0, "quick", click=-HOUR - 1)
    assert device.sources() == ["organic"]


def test_a_visit_with_a_touch_restarts_the_current_attribution() -> None:
    device = Timeline("web")
    device.event("visit", 0, "acme")
    assert device.event("visit", 1, "globex") == []
    assert device.event("registration", 2)[:2] == ["registration #1 acme", "registration_ca #2 globex"]
    assert device.known.attributions[1].reason is Reason.VISIT


def test_the_same_source_again_is_a_new_attribution() -> None:
    device = Timeline("web")
    device.event("visit", 0, "acme")
    device.event("visit", 1, "acme")
    assert device.sources() == ["acme", "acme"]


def test_a_visit_without_an_eligible_touch_restarts_nothing() -> None:
    device = Timeline("web")
    device.event("visit", 0, "acme")
    device.event("visit", HOUR)
    device.event("visit", 2 * HOUR, "quick", click=0)
    assert device.sources() == ["acme"]
    assert device.clock() == 2 * HOUR


def test_another_event_with_a_touch_restarts_nothing() -> None:
    device = Timeline("web")
    device.event("visit", 0, "acme")
    device.event("registration", 1, "globex")
    device.event("launch", 1, "globex")
    assert device.sources() == ["acme"]


def test_a_visit_that_is_two_reasons_for_a_restart_restarts_once() -> None:
    device = Timeline("web")
    device.event("visit", 0, "acme")
    assert device.event("visit", 31 * DAY, "globex") == ["re_engagement #2 globex"]
    assert device.sources() == ["acme", "globex"]


def test_a_re_engagement_without_a_touch_is_organic() -> None:
    device = Timeline("web")
    device.event("visit", 0, "acme")
    assert device.event("visit", 31 * DAY) == ["re_engagement #2 organic"]


def test_a_late_visit_restarts_nothing() -> None:
    device = Timeline("web")
    device.event("visit", HOUR, "acme")
    device.event("visit", 0, "globex", appended=HOUR)
    assert device.sources() == ["acme"]


def test_only_the_events_of_the_web_fire() -> None:
    device = Timeline("web")
    for name in ("payment", "launch", "coins"):
        assert device.event(name, 0) == []
    assert device.install(0) == ["reinstall"]
    for name in ("registration", "authorization", "custom_payment"):
        assert [line.split()[0] for line in device.event(name, 0)] == [
            name,
            f"{name}_ca",
            f"first_{name}",
            f"first_{name}_ca",
        ]


def test_an_install_that_is_the_first_record_is_the_first_attribution_and_fires_nothing() -> None:
    device = Timeline("web")
    assert device.install(0, "acme") == []
    assert device.sources() == ["acme"]
    assert device.last.installed_at == START
