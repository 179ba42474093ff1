"""Contract §4, *Hold*."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.attribution.timeline import DAY, MINUTE, SECOND, START, Timeline


def test_an_event_of_an_unknown_device_is_held() -> None:
    device = Timeline()
    assert device.event("launch", 0) == ["held"]
    assert device.release_at == START + MINUTE


def test_a_record_is_released_when_the_installs_are_read_past_its_append_time_plus_the_grace() -> None:
    device = Timeline()
    device.event("launch", 0)
    assert device.read_past(MINUTE) == []
    assert device.read_past(MINUTE + 1) == ["app_open #1 assumed"]
    assert device.release_at is None


def test_the_append_time_of_the_event_counts_for_its_release_not_its_own_time() -> None:
    device = Timeline(install_grace=10 * SECOND)
    device.event("launch", 0, appended=5 * SECOND)
    assert device.release_at == START + 15 * SECOND


def test_an_install_that_is_read_before_goes_first_and_the_held_records_follow() -> None:
    device = Timeline()
    device.event("launch", 10 * SECOND)
    assert device.install(5 * SECOND, "acme", appended=30 * SECOND) == ["install #1 acme", "app_open #1 acme"]
    assert device.release_at is None


def test_held_records_are_processed_in_event_time_order() -> None:
    device = Timeline()
    device.event("b", 2 * SECOND)
    device.event("a", 1 * SECOND, appended=2 * SECOND)
    device.event("c", 2 * SECOND, appended=2 * SECOND + 1)
    device.read_past(DAY)
    assert [fact.entry.name for fact in device.facts if fact.result == "processed"] == ["a", "b", "c"]
    assert not any(fact.late for fact in device.facts)


def test_held_records_of_the_same_time_are_processed_in_stream_order() -> None:
    device = Timeline()
    for name, appended in (("b", 1), ("c", 1), ("a", 0)):
        device.event(name, 0, appended=appended)
    device.read_past(DAY)
    assert [fact.entry.name for fact in device.facts[3:]] == ["a", "b", "c"]


def test_without_an_install_the_first_attribution_is_assumed_organic_whatever_touch_the_event_has() -> None:
    device = Timeline()
    device.event("launch", 7, "acme")
    assert device.read_past(DAY) == ["app_open #1 assumed"]
    first = device.known.attributions[0]
    assert (first.number, first.start, first.touch, first.assumed) == (1, START + 7, None, True)
    assert device.last.installed_at is None


def test_from_the_release_on_it_is_a_known_device_and_nothing_is_held() -> None:
    device = Timeline().assumed()
    assert device.event("launch", 2 * MINUTE) == ["app_open #1 assumed"]


def test_a_record_more_than_the_inactivity_window_after_the_clock_is_held() -> None:
    device = Timeline()
    device.install(0)
    assert device.event("launch", 30 * DAY + 1) == ["held"]


def test_a_record_exactly_the_inactivity_window_after_the_clock_is_not_held() -> None:
    device = Timeline()
    device.install(0)
    assert device.event("launch", 30 * DAY) == ["app_open #1 organic", "session #1 organic"]


def test_of_a_dormant_device_every_event_after_the_first_held_one_is_held_too() -> None:
    device = Timeline()
    device.install(0)
    device.event("coins", 29 * DAY)
    device.event("launch", 30 * DAY + 1)
    assert device.event("launch", 29 * DAY + 1, appended=30 * DAY + 2) == ["held"]


def test_an_event_that_is_no_activity_is_held_too() -> None:
    device = Timeline()
    device.install(0)
    assert device.event("coins", 31 * DAY) == ["held"]


def test_the_install_of_a_dormant_device_goes_first() -> None:
    device = Timeline()
    device.install(0)
    device.event("launch", 40 * DAY + 2)
    device.event("launch", 40 * DAY + 3)
    assert device.install(40 * DAY + 1, "acme", appended=40 * DAY + 4) == [
        "re_install #2 acme",
        "app_open #1 organic",
        "session #2 acme",
        "app_open #1 organic",
    ]


def test_without_an_install_the_held_activity_of_a_dormant_device_is_a_re_engagement() -> None:
    device = Timeline()
    device.install(0)
    device.event("launch", 40 * DAY, "acme")
    assert device.read_past(41 * DAY) == ["re_engagement #2 acme", "app_open #1 organic", "session #2 acme"]


def test_the_first_release_releases_all_that_the_device_holds() -> None:
    device = Timeline()
    device.event("launch", 0)
    device.event("launch", 59 * SECOND)
    assert device.release_at == START + MINUTE
    assert device.read_past(MINUTE + 1) == ["app_open #1 assumed"] * 2


def test_the_smallest_append_time_among_the_held_ones_decides() -> None:
    device = Timeline()
    device.event("launch", 0, appended=20 * SECOND)
    device.event("launch", 1, appended=10 * SECOND)
    assert device.release_at == START + 70 * SECOND


def test_a_reinstall_releases_what_a_dormant_device_holds_too() -> None:
    device = Timeline()
    device.install(0)
    device.event("launch", 30 * DAY + 1)
    assert device.install(30 * DAY - 1, appended=30 * DAY + 2) == [
        "reinstall",
        "re_engagement #2 organic",
        "app_open #1 organic",
        "session #2 organic",
    ]


def test_a_duplicate_install_releases_nothing() -> None:
    device = Timeline()
    device.install(0, id="i")
    device.event("coins", DAY)
    device.event("launch", 30 * DAY + 1)
    device.event("launch", 30 * DAY + 2)
    assert device.install(29 * DAY, id="i", appended=30 * DAY + 3) == ["duplicate"]
    assert device.release_at is not None


def test_more_than_the_limit_are_not_held_but_all_released() -> None:
    device = Timeline(hold_limit=3)
    for at in (3, 2, 1):
        assert device.event("launch", at, appended=3) == ["held"]
    assert device.event("launch", 0, appended=3) == ["app_open #1 assumed"] * 4
    assert [fact.entry.at - START for fact in device.facts[3:]] == [0, 1, 2, 3]
    assert device.release_at is None


def test_a_grace_of_0_holds_nothing() -> None:
    device = Timeline(install_grace=0)
    assert device.event("launch", 0, "acme") == ["app_open #1 assumed"]
    assert device.event("launch", 31 * DAY) == [
        "re_engagement #2 organic",
        "app_open #1 assumed",
        "session #2 organic",
    ]


def test_on_the_web_nothing_is_held() -> None:
    device = Timeline("web")
    assert device.event("registration", 0) != ["held"]
    assert device.event("registration", 31 * DAY) != ["held"]


def test_a_held_record_is_not_too_late() -> None:
    device = Timeline()
    device.event("launch", 0)
    assert device.install(10 * DAY, "acme", appended=SECOND + 10 * DAY)[0] == "app_open #1 assumed"
    device = Timeline(install_grace=20 * DAY)
    device.event("launch", 0)
    assert device.install(10 * DAY, "acme") == ["install #1 acme", "app_open #1 acme"]
    assert device.last.late


def test_a_duplicate_of_a_held_record_is_a_duplicate() -> None:
    device = Timeline()
    device.event("launch", 0, id="e")
    assert device.event("launch", 0, id="e", appended=1) == ["duplicate"]
    assert device.read_past(DAY) == ["app_open #1 assumed"]


def test_when_the_grace_is_switched_off_the_next_event_releases_what_is_held() -> None:
    device = Timeline()
    device.event("launch", 1)
    device.app = Timeline(install_grace=0).app
    device.release_at = None
    assert device.event("launch", 0, appended=2) == ["app_open #1 assumed"] * 2


def test_a_held_record_keeps_everything_that_its_job_needs() -> None:
    device = Timeline()
    params = {"level": [1, 2.5], "huge": 10**30, "none": None, "é": {}}
    fields = {"revenue": 0.1, "currency": "USD", "params": params, "click": 5, "click_id": "c"}
    device.event("purchase", 10, "acme", **fields)
    held = device.last.entry
    device.read_past(DAY)
    assert device.last.entry == held
    assert device.last.result == "processed"


def test_a_held_record_may_hold_times_beyond_reason() -> None:
    for click in (10**30, -(10**30), float("1e300")):
        device = Timeline()
        assert device.event("launch", 0, "acme", click_timestamp=click) == ["held"]
        assert device.read_past(DAY) == ["app_open #1 assumed"]


@given(st.permutations(range(6)))
def test_the_order_of_arrival_of_held_records_does_not_matter(order: list[int]) -> None:
    device = Timeline()
    for at in order:
        device.event("payment", at, id=str(at), appended=9)
    device.read_past(DAY)
    assert [fact.entry.at - START for fact in device.facts[6:]] == [0, 1, 2, 3, 4, 5]


# A held record may be older than anything that can still be read: what it is compared with is kept until it is out.


def overtaken(*held: tuple[str, int]) -> list[str]:
    """A device with a first of a custom event and three sessions; what is held is overtaken by an install far ahead."""
    device = Timeline(install_grace=20 * DAY, inactivity_window=2 * DAY, dedup_window=4 * DAY)
    device.install(0, "acme")
    device.event("coins", DAY)
    device.event("launch", 3 * DAY - 1, "globex", appended=3 * DAY)
    device.read_past(30 * DAY)
    device.event("launch", 4 * DAY + 5)
    device.event("launch", 7 * DAY, appended=31 * DAY)
    for name, at in held:
        assert device.event(name, at, appended=31 * DAY) == ["held"]
    return device.install(20 * DAY, "initech", appended=32 * DAY)


def test_a_first_that_was_used_is_remembered_while_a_record_of_its_period_is_held() -> None:
    lines = overtaken(("coins", DAY + 1))
    assert "event_ca:coins #1 acme" in lines
    assert "first_event_ca:coins #1 acme" not in lines


def test_a_session_is_remembered_while_a_launch_of_its_period_is_held() -> None:
    lines = overtaken(("launch", DAY + 5), ("launch", 4 * DAY + 9))
    assert [line for line in lines if line.startswith("session")] == ["session #1 acme", "session #2 globex"]
