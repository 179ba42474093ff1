"""Contract §5: which derived events a record yields, and which attribution each goes by."""

from __future__ import annotations

import pytest

from tests.unit.attribution.timeline import DAY, Timeline

FAMILIES = ["payment", "custom_payment", "registration", "authorization"]


def re_engaged() -> Timeline:
    """First attribution acme, current one globex."""
    device = Timeline(install_grace=0)
    device.install(0, "acme")
    device.event("launch", 40 * DAY, "globex")
    return device


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_fires_every_time_and_for_the_first_ones_by_the_first_and_by_the_current(name: str) -> None:
    device = re_engaged()
    assert device.event(name, 41 * DAY) == [
        f"{name} #1 acme",
        f"{name}_ca #2 globex",
        f"first_{name} #1 acme",
        f"first_{name}_ca #2 globex",
    ]
    assert device.event(name, 42 * DAY) == [f"{name} #1 acme", f"{name}_ca #2 globex"]


def test_so_does_a_custom_event_under_its_own_name() -> None:
    device = re_engaged()
    for name in ("coins", "mit Leerzeichen: ✓", "payment_ca", "n" * 300):
        assert device.event(name, 41 * DAY) == [
            f"event:{name} #1 acme",
            f"event_ca:{name} #2 globex",
            f"first_event:{name} #1 acme",
            f"first_event_ca:{name} #2 globex",
        ]
        assert device.event(name, 41 * DAY) == [f"event:{name} #1 acme", f"event_ca:{name} #2 globex"]


def test_firsts_since_the_last_attribution_start_anew_with_each_attribution() -> None:
    device = re_engaged()
    device.event("payment", 41 * DAY)
    device.event("coins", 41 * DAY)
    device.event("launch", 80 * DAY)
    assert device.event("payment", 81 * DAY)[-1] == "first_payment_ca #3 organic"
    assert device.event("coins", 81 * DAY)[-1] == "first_event_ca:coins #3 organic"
    assert device.event("coins", 82 * DAY)[-1] == "event_ca:coins #3 organic"


def test_firsts_of_the_lifetime_do_not() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme")
    device.event("payment", 1)
    device.event("launch", 40 * DAY, "globex")
    lines = device.event("payment", 40 * DAY + 1)
    assert lines == ["payment #1 acme", "payment_ca #2 globex", "first_payment_ca #2 globex"]


def test_a_record_that_restarts_the_attribution_does_so_first_and_its_own_events_belong_to_the_new_one() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme")
    assert device.event("payment", 40 * DAY, "globex") == [
        "re_engagement #2 globex",
        "payment #1 acme",
        "payment_ca #2 globex",
        "first_payment #1 acme",
        "first_payment_ca #2 globex",
    ]


def test_each_launch_is_an_app_open_by_the_first_attribution() -> None:
    device = re_engaged()
    assert device.event("launch", 41 * DAY)[0] == "app_open #1 acme"
    assert device.event("session_begin", 41 * DAY) == ["app_open #1 acme"]


@pytest.mark.parametrize("name", ["visit", "impression", "uninstall"])
def test_these_yield_nothing_of_their_own(name: str) -> None:
    assert re_engaged().event(name, 41 * DAY) == []


def test_install_fires_once_in_the_lifetime() -> None:
    device = Timeline()
    assert device.install(0, "acme") == ["install #1 acme"]
    for day in (1, 29, 40, 80):
        assert not any(line.startswith("install ") for line in device.install(day * DAY, "acme"))


def test_an_alias_counts_as_the_reserved_name() -> None:
    device = re_engaged()
    device.event("purchase", 41 * DAY)
    assert device.event("payment", 41 * DAY) == ["payment #1 acme", "payment_ca #2 globex"]


# The shape of a shop's customers: an install, a first order an hour later, more orders with quiet months between.


def customer(*orders: tuple[int, str | None]) -> list[list[str]]:
    device = Timeline()
    device.install(0, "globex/initech", appended=1000 * DAY)
    lines = [device.event("payment", day * DAY, by, appended=1000 * DAY) for day, by in orders]
    return [*lines, device.read_past(1001 * DAY)]


FIRST = ["first_payment #1 globex/initech", "first_payment_ca #1 globex/initech"]
AGAIN = "payment #1 globex/initech"


def test_orders_within_30_days_of_each_other_stay_with_the_first_source() -> None:
    assert customer((0, None), (29, None), (59, None)) == [
        [AGAIN, "payment_ca #1 globex/initech", *FIRST],
        [AGAIN, "payment_ca #1 globex/initech"],
        [AGAIN, "payment_ca #1 globex/initech"],
        [],
    ]


def test_an_order_after_more_than_30_quiet_days_is_held_and_then_a_re_engagement_by_its_click_or_organic() -> None:
    assert customer((0, None), (31, "initech"), (32, None), (63, None), (64, "initech")) == [
        [AGAIN, "payment_ca #1 globex/initech", *FIRST],
        ["held"],
        ["held"],
        ["held"],
        ["held"],
        [
            *("re_engagement #2 initech", AGAIN, "payment_ca #2 initech", "first_payment_ca #2 initech"),
            *(AGAIN, "payment_ca #2 initech"),
            *("re_engagement #3 organic", AGAIN, "payment_ca #3 organic", "first_payment_ca #3 organic"),
            *(AGAIN, "payment_ca #3 organic"),
        ],
    ]
