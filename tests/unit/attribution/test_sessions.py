"""Contract §5, `session`: at most one `launch` per 24-hour period, none in the first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.attribution.state import KEPT
from tests.unit.attribution.timeline import DAY, HOUR, START, Timeline


def installed(**settings: object) -> Timeline:
    device = Timeline(install_grace=0, **settings)  # type: ignore[arg-type]
    device.install(0, "acme")
    return device


def session(device: Timeline, at: int, **fields: object) -> list[str]:
    """The `session` at `all`, if a launch is one."""
    return [line for line in device.event("launch", at, **fields) if line.startswith("session")]


def counted(device: Timeline, publisher: str) -> str:
    """The attribution that the last launch is counted from for a publisher, and whether it is a session."""
    for one in device.last.sessions:
        touch = one.attribution.touch
        if touch is not None and touch.publisher_name == publisher:
            return f"#{one.attribution.number} {'session' if one.due else 'none'}"
    return ""


# At `all`: periods count from the first appearance.


def test_no_launch_in_the_first_24_hours_is_a_session() -> None:
    device = installed()
    for at in (0, 1, 12 * HOUR, DAY - 1):
        assert session(device, at) == []


def test_the_second_period_begins_24_hours_after_the_first_appearance() -> None:
    assert session(installed(), DAY) == ["session #1 acme"]


def test_at_most_one_launch_of_a_24_hour_period_is_a_session() -> None:
    device = installed()
    assert session(device, DAY + HOUR) == ["session #1 acme"]
    for at in (DAY + 2 * HOUR, 2 * DAY - 1):
        assert session(device, at) == []
    assert session(device, 2 * DAY) == ["session #1 acme"]
    assert session(device, 2 * DAY) == []


def test_periods_are_24_hours_from_the_start_and_no_days_of_the_calendar() -> None:
    device = Timeline(install_grace=0)
    device.install(23 * HOUR)
    assert session(device, 25 * HOUR) == []
    assert session(device, 46 * HOUR) == []
    assert session(device, 47 * HOUR) == ["session #1 organic"]


def test_a_period_without_a_launch_is_no_session() -> None:
    device = installed()
    assert session(device, 20 * DAY + 5) == ["session #1 acme"]
    assert session(device, 20 * DAY + 6) == []


def test_only_a_launch_is_a_session() -> None:
    device = installed()
    for name in ("visit", "impression", "payment", "registration", "authorization", "coins", "uninstall"):
        assert not any(line.startswith("session") for line in device.event(name, DAY))
        assert device.last.sessions == ()
    assert session(device, DAY) == ["session #1 acme"]


def test_session_begin_is_a_launch() -> None:
    assert "session #1 acme" in installed().event("session_begin", DAY)


def test_a_device_that_appears_by_an_event_counts_from_it() -> None:
    device = Timeline(install_grace=0)
    device.event("launch", HOUR)
    assert session(device, DAY) == []
    assert session(device, DAY + HOUR) == ["session #1 assumed"]


def test_at_all_no_later_start_begins_a_new_count_and_the_session_goes_by_the_current_attribution() -> None:
    device = installed()
    assert session(device, 40 * DAY + HOUR, by="globex") == ["session #2 globex"]
    assert session(device, 40 * DAY + 2 * HOUR) == []
    assert session(device, 41 * DAY) == ["session #2 globex"]
    device.install(80 * DAY, "initech")
    assert session(device, 80 * DAY) == ["session #3 initech"]


def test_there_are_no_sessions_on_the_web() -> None:
    device = Timeline("web")
    device.event("visit", 0, "acme")
    assert device.event("launch", DAY) == []
    assert device.last.sessions == ()


# Otherwise: from the latest start of an attribution whose source is the postback's partner.


def three_starts() -> Timeline:
    """acme from day 0, globex from day 40, acme from day 80."""
    device = installed()
    device.event("launch", 40 * DAY, "globex")
    device.event("launch", 80 * DAY, "acme")
    return device


def test_for_a_partner_periods_count_from_the_start_of_its_attribution() -> None:
    device = installed()
    device.event("launch", 40 * DAY + HOUR, "globex")
    assert (counted(device, "acme"), counted(device, "globex")) == ("#1 session", "#2 none")
    device.event("launch", 41 * DAY)
    assert (counted(device, "acme"), counted(device, "globex")) == ("#1 session", "#2 none")
    device.event("launch", 41 * DAY + HOUR)
    assert (counted(device, "acme"), counted(device, "globex")) == ("#1 none", "#2 session")


def test_for_a_partner_the_latest_of_its_starts_counts() -> None:
    device = three_starts()
    device.event("launch", 80 * DAY + HOUR)
    assert counted(device, "acme") == "#3 none"
    device.event("launch", 81 * DAY)
    assert counted(device, "acme") == "#3 session"


def test_a_partner_whose_attribution_is_over_still_counts_from_its_start() -> None:
    device = three_starts()
    device.event("launch", 82 * DAY)
    assert counted(device, "globex") == "#2 session"


def test_a_partner_without_an_attribution_has_no_sessions() -> None:
    device = three_starts()
    device.event("launch", 82 * DAY)
    assert counted(device, "initech") == ""


def test_the_start_of_a_partner_is_remembered_however_often_others_start() -> None:
    device = three_starts()
    for time in range(1, 3 * KEPT):
        device.event("launch", (80 + time * 40) * DAY, (None, "acme", "initech")[time % 3])
    device.event("launch", (80 + 3 * KEPT * 40) * DAY)
    assert counted(device, "globex") == "#2 session"
    assert len(device.known.attributions) == KEPT + 1


def test_a_publisher_of_another_agency_is_another_start() -> None:
    device = installed()
    device.event("launch", 40 * DAY, "globex/hooli")
    for time in range(2, 2 * KEPT):
        device.event("launch", time * 40 * DAY, "globex/initech")
    assert device.sources()[:2] == ["acme", "globex/hooli"]


def test_of_more_than_16_sources_besides_the_first_the_oldest_start_is_forgotten() -> None:
    device = installed()
    for time in range(1, KEPT + 1):
        device.event("launch", time * 40 * DAY, f"p{time}")
    assert counted_later(device, "p1") == "#2 session"
    device.event("launch", 800 * DAY, "one more")
    assert counted_later(device, "p1") == ""
    assert counted_later(device, "p2") == "#3 session"
    assert counted_later(device, "acme") == "#1 session"


def counted_later(device: Timeline, publisher: str) -> str:
    """`counted` at a launch two days after the newest record."""
    device.event("launch", device.known.newest - START + 2 * DAY)
    return counted(device, publisher)


@pytest.mark.parametrize("kind", ["install", "re_install", "re_engagement"])
def test_an_install_a_re_install_and_a_re_engagement_are_starts(kind: str) -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme" if kind == "install" else None)
    if kind == "re_install":
        device.install(40 * DAY, "acme")
    elif kind == "re_engagement":
        device.event("launch", 40 * DAY, "acme")
    device.event("launch", 42 * DAY if kind != "install" else 2 * DAY)
    assert counted(device, "acme").endswith("session")


def test_a_start_that_kept_the_source_is_a_start_of_the_partner_too() -> None:
    device = installed(reattribute_to_organic=False)
    device.event("launch", 40 * DAY)
    assert counted(device, "acme") == "#2 none"
    device.event("launch", 41 * DAY)
    assert counted(device, "acme") == "#2 session"


# Late launches and claims.


def test_a_late_launch_may_take_the_session_of_its_period_if_nobody_has() -> None:
    device = installed()
    assert session(device, 3 * DAY) == ["session #1 acme"]
    assert session(device, 2 * DAY - 1, appended=3 * DAY) == ["session #1 acme"]
    assert device.last.late
    assert session(device, DAY, appended=3 * DAY) == []


def test_where_a_period_has_two_launches_the_first_processed_is_the_session() -> None:
    device = installed()
    assert session(device, DAY + 2 * HOUR) == ["session #1 acme"]
    assert session(device, DAY + HOUR, appended=2 * DAY) == []


def test_a_late_launch_goes_by_the_attribution_in_which_its_time_lies() -> None:
    device = installed(dedup_window=10 * DAY)
    device.event("launch", 40 * DAY, "globex")
    assert session(device, 39 * DAY, appended=41 * DAY) == ["session #1 acme"]
    assert counted(device, "globex") == ""


def test_a_late_launch_before_the_first_appearance_is_no_session() -> None:
    device = Timeline(install_grace=0)
    device.install(2 * DAY, "acme")
    assert session(device, DAY, appended=2 * DAY) == []
    assert device.last.sessions == ()


def test_after_a_claim_periods_count_from_the_same_start_for_the_source_that_claimed() -> None:
    device = Timeline(claim_window=2 * DAY)
    device.install(0)
    assert session(device, DAY) == ["session #1 organic"]
    device.install(DAY + 1, "acme")
    device.event("launch", DAY + 2)
    assert counted(device, "acme") == "#1 none"
    device.event("launch", 2 * DAY)
    assert counted(device, "acme") == "#1 session"


def test_used_periods_are_forgotten_when_no_launch_can_fall_into_them() -> None:
    device = installed()
    for day in range(1, 100):
        assert session(device, day * DAY) == ["session #1 acme"]
    assert len(device.known.attributions[0].sessions) <= 4


@given(st.lists(st.integers(0, 12 * DAY), min_size=1, max_size=40))
def test_in_any_order_each_period_with_a_launch_has_one_session_but_the_first(times: list[int]) -> None:
    device = installed(dedup_window=30 * DAY)
    sessions = [at for at in times if session(device, at, appended=20 * DAY)]
    assert sorted(at // DAY for at in sessions) == sorted({at // DAY for at in times} - {0})


def test_a_start_that_a_late_record_may_still_belong_to_is_kept_though_its_source_comes_back() -> None:
    device = Timeline(platform="web", device_key=("visitor_id",))
    for time in range(KEPT - 1):
        device.event("visit", time * DAY, f"source-{time}")
    day = 20 * DAY
    for hour, by in ((0, "acme"), (4, "globex"), (6, "acme")):
        device.event("visit", day + hour * HOUR, by)
    device.event("registration", day + HOUR)
    (current,) = [one.attribution for one in device.last.derived if one.event == "registration_ca"]
    assert current.touch is not None
    assert current.touch.publisher_name == "acme"
