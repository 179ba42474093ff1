"""Contract §5, scope U: `new_user`, `re_engagement_user`, and the first payments of a user."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.attribution import users
from streams.attribution.state import UnknownVersionError
from streams.attribution.users import User
from tests.unit.attribution.timeline import DAY, HOUR, START, Timeline
from tests.unit.attribution.users import Users


def device(name: str = "a", platform: str = "android", **settings: object) -> Timeline:
    """A device of an app that nothing is held of."""
    one = Timeline(platform, install_grace=0, **settings)  # type: ignore[arg-type]
    one.identity = {"google_aid": name, "visitor_id": name, "ios_ifv": name}
    return one


def installed(name: str = "a", by: str | None = None, at: int = 0, **settings: object) -> Timeline:
    """The same, installed by nobody we know."""
    one = device(name, **settings)
    one.install(at, by)
    return one


# new_user


def test_the_first_record_that_carries_the_user_id_is_a_new_user() -> None:
    people, phone = Users(), installed(by="acme")
    assert people.event(phone, "coins", 1) == ["new_user #1 acme"]
    assert people.event(phone, "coins", 2) == []


@pytest.mark.parametrize("name", ["launch", "registration", "custom_payment", "uninstall", "coins"])
def test_any_record_can_be_the_first_of_a_user(name: str) -> None:
    assert Users().event(installed(), name, 1)[0] == "new_user #1 organic"


def test_an_install_can_be_the_first_record_of_a_user() -> None:
    assert Users().install(device(), 0, "acme") == ["new_user #1 acme"]


def test_a_reinstall_can_be_the_first_record_of_a_user_though_it_emits_no_install() -> None:
    people, phone = Users(), installed(by="acme")
    assert people.install(phone, HOUR, "globex") == ["new_user #1 acme"]
    assert phone.last.result == "reinstall"
    assert phone.last.derived == ()


def test_a_user_is_new_once_on_whatever_device() -> None:
    people, one, other = Users(), installed("a", "acme"), installed("b", "globex")
    assert people.event(one, "launch", 1) == ["new_user #1 acme"]
    assert people.event(other, "launch", 2) == []


def test_a_user_is_new_once_on_whatever_platform() -> None:
    people, site = Users(), device("v", "web", id="com.example.site")
    assert people.event(site, "visit", 0, "acme") == ["new_user #1 acme"]
    for platform in ("android", "ios"):
        assert people.event(installed("x", platform=platform), "launch", 1) == []


def test_a_user_is_new_in_each_project() -> None:
    people = Users()
    assert people.event(installed(project="one"), "launch", 1) == ["new_user #1 organic"]
    assert people.event(installed(project="two"), "launch", 1) == ["new_user #1 organic"]
    assert people.event(installed(project="one", id="com.example.other"), "launch", 1) == []


def test_users_who_share_a_device_are_two_users() -> None:
    people, phone = Users(), installed(by="acme")
    assert people.event(phone, "launch", 1, user_id="u") == ["new_user #1 acme"]
    assert people.event(phone, "launch", 2, user_id="v") == ["new_user #1 acme"]
    assert people.event(phone, "launch", 3, user_id="U") == ["new_user #1 acme"]


def test_a_record_without_a_user_id_is_no_users() -> None:
    people, phone = Users(), installed()
    for missing in (None, ""):
        people.event(phone, "launch", 1, user_id=missing)
    assert people.facts == []


def test_duplicates_and_records_that_are_too_late_are_no_users() -> None:
    people, phone = Users(), installed()
    phone.event("launch", 5 * DAY, id="e")
    assert people.event(phone, "launch", 5 * DAY, id="e") == []
    assert people.event(phone, "launch", DAY, appended=5 * DAY) == []
    assert people.facts == []


def test_a_held_record_is_a_users_when_it_is_released() -> None:
    people, phone = Users(), Timeline()
    assert people.event(phone, "launch", 0) == []
    assert people.read_past(phone, DAY) == ["new_user #1 organic"]


def test_new_user_goes_by_the_first_attribution_of_the_device() -> None:
    people, phone = Users(), installed(by="acme")
    phone.event("launch", 40 * DAY, "globex")
    assert people.event(phone, "launch", 41 * DAY) == ["new_user #1 acme"]


def test_where_the_rule_says_first_it_is_the_first_processed() -> None:
    people, one, other = Users(), installed("a", "acme"), installed("b", "globex")
    assert people.event(one, "launch", 2 * HOUR) == ["new_user #1 acme"]
    assert people.event(other, "launch", HOUR) == []
    assert people.last.late


def test_the_first_record_of_a_user_is_remembered() -> None:
    people, phone = Users(), installed()
    people.event(phone, "launch", 7, id="e")
    user = people.state()
    assert (user.app_id, user.device_key, user.record_id, user.since) == (
        phone.app.id,
        f"{phone.app.id}|a",
        "e",
        START + 7,
    )


# re_engagement_user


def test_an_activity_more_than_the_inactivity_window_after_the_last_one_is_a_re_engagement_of_the_user() -> None:
    people, phone = Users(), installed(by="acme")
    people.event(phone, "launch", 1)
    assert people.event(phone, "launch", 30 * DAY + 2, "globex") == ["re_engagement_user #2 globex"]


def test_exactly_the_inactivity_window_is_none() -> None:
    people, phone = Users(), installed()
    people.event(phone, "launch", 1)
    assert people.event(phone, "launch", 30 * DAY + 1) == []
    assert people.event(phone, "launch", 60 * DAY + 1) == []


def test_the_first_record_starts_the_clock_whatever_it_is() -> None:
    people, phone = Users(), installed()
    people.event(phone, "coins", 29 * DAY)
    assert people.event(phone, "launch", 59 * DAY) == []
    people, phone = Users(), installed()
    people.event(phone, "coins", 29 * DAY)
    assert people.event(phone, "launch", 59 * DAY + 1) == ["re_engagement_user #2 organic"]


def test_a_user_who_is_active_on_another_device_is_awake() -> None:
    people, one, other = Users(), installed("a", "acme"), installed("b", "globex", at=39 * DAY)
    people.event(one, "launch", 1)
    people.event(one, "launch", 20 * DAY)
    assert people.event(other, "launch", 40 * DAY) == []
    assert people.event(one, "launch", 60 * DAY) == []
    assert one.facts[-1].derived[0].event == "re_engagement"


def test_a_user_may_re_engage_where_the_device_does_not() -> None:
    people, phone = Users(), installed()
    people.event(phone, "launch", 1)
    for day in (20, 40):
        people.event(phone, "launch", day * DAY, user_id="v")
    assert people.event(phone, "launch", 41 * DAY) == ["re_engagement_user #1 organic"]
    assert all(one.event != "re_engagement" for one in phone.last.derived)


def test_the_window_is_that_of_the_app_it_happens_on() -> None:
    for window, expected in ((7 * DAY, ["re_engagement_user #1 organic"]), (8 * DAY, [])):
        people = Users()
        people.event(installed("a", inactivity_window=30 * DAY), "launch", 1)
        other = installed("b", at=8 * DAY, id="com.example.other", inactivity_window=window)
        assert people.event(other, "launch", 8 * DAY + 1) == expected


def test_it_goes_by_the_current_attribution_of_the_device_it_happens_on() -> None:
    people, one, other = Users(), installed("a", "acme"), installed("b", "globex")
    people.event(one, "launch", 1)
    other.event("launch", 31 * DAY, "initech")
    assert people.event(other, "launch", 32 * DAY) == ["re_engagement_user #2 initech"]


@pytest.mark.parametrize("name", ["custom_payment", "uninstall", "coins"])
def test_what_is_no_activity_neither_re_engages_a_user_nor_moves_the_clock(name: str) -> None:
    people, phone = Users(), installed()
    people.event(phone, "launch", 1)
    assert not any("re_engagement" in line for line in people.event(phone, name, 31 * DAY))
    assert people.state().clock == START + 1
    assert people.event(phone, "launch", 31 * DAY + 1) == ["re_engagement_user #2 organic"]


@pytest.mark.parametrize("name", ["registration", "authorization", "launch", "visit", "impression", "payment"])
def test_every_activity_moves_the_clock_of_the_user(name: str) -> None:
    people, phone = Users(), installed()
    people.event(phone, "launch", 1)
    people.event(phone, name, DAY)
    assert people.state().clock == START + DAY


def test_a_re_install_does_not_move_the_clock_of_the_user() -> None:
    people, phone = Users(), installed()
    people.event(phone, "launch", 1)
    assert people.install(phone, 31 * DAY, "acme") == []
    assert phone.last.derived[0].event == "re_install"
    assert people.event(phone, "launch", 31 * DAY + 1) == ["re_engagement_user #2 acme"]


def test_a_record_late_for_its_user_moves_no_window_of_the_user() -> None:
    people, one, other = Users(), installed("a"), installed("b")
    people.event(one, "launch", 1)
    people.event(one, "coins", 40 * DAY)
    assert people.event(other, "launch", 35 * DAY) == []
    assert people.last.late
    assert not other.last.late
    assert people.state().clock == START + 1
    assert people.event(one, "launch", 40 * DAY + 1) == ["re_engagement_user #2 organic"]


def test_a_reinstall_makes_no_later_record_late_for_its_user() -> None:
    people, one, other = Users(), installed("a"), installed("b", at=40 * DAY)
    people.event(one, "launch", 1)
    people.install(other, 45 * DAY)
    assert other.last.result == "reinstall"
    assert people.event(one, "launch", 44 * DAY) == ["re_engagement_user #2 organic"]


def test_on_the_web_a_user_re_engages_too() -> None:
    people, site = Users(), device(platform="web")
    people.event(site, "visit", 0, "acme")
    assert people.event(site, "visit", 31 * DAY, "globex") == ["re_engagement_user #2 globex"]


# First payments of a user


@pytest.mark.parametrize("name", ["payment", "custom_payment"])
def test_the_first_payment_of_a_user_is_one_over_all_devices_and_apps_of_the_project(name: str) -> None:
    people, one, other = Users(), installed("a", "acme"), installed("b", "globex", id="com.example.other")
    assert people.event(one, name, 1)[1:] == [f"first_{name} #1 acme"]
    assert people.event(one, name, 2) == []
    assert people.event(other, name, 3) == []
    assert f"first_{name}" in {one.event for one in other.last.derived}


def test_the_first_payment_of_a_second_user_of_a_device_is_that_users_first() -> None:
    people, phone = Users(), installed(by="acme")
    assert people.event(phone, "payment", 1) == ["new_user #1 acme", "first_payment #1 acme"]
    assert people.event(phone, "payment", 2, user_id="v") == ["new_user #1 acme", "first_payment #1 acme"]


def test_a_payment_and_a_custom_payment_are_two_firsts() -> None:
    people, phone = Users(), installed()
    people.event(phone, "payment", 1)
    assert people.event(phone, "custom_payment", 2) == ["first_custom_payment #1 organic"]


def test_a_payment_on_the_web_is_no_first_payment_of_a_user_but_a_custom_payment_is_a_first() -> None:
    people, site, phone = Users(), device("v", "web", id="com.example.site"), installed()
    assert people.event(site, "payment", 0) == ["new_user #1 organic"]
    assert people.event(phone, "payment", 1) == ["first_payment #1 organic"]
    assert people.event(site, "custom_payment", 2) == ["first_custom_payment #1 organic"]
    assert people.event(phone, "custom_payment", 3) == []


def test_the_first_payment_of_a_user_goes_by_the_first_attribution_of_the_device() -> None:
    people, phone = Users(), installed(by="acme")
    phone.event("launch", 40 * DAY, "globex")
    assert people.event(phone, "payment", 41 * DAY)[1:] == ["first_payment #1 acme"]


def test_a_late_payment_may_take_the_users_first_that_nobody_has() -> None:
    people, one, other = Users(), installed("a"), installed("b", "globex")
    people.event(one, "launch", 2 * HOUR)
    assert people.event(other, "payment", HOUR) == ["first_payment #1 globex"]
    assert people.last.late


@pytest.mark.parametrize("name", ["registration", "authorization", "coins", "launch"])
def test_other_firsts_are_the_devices_only(name: str) -> None:
    assert Users().event(installed(), name, 1) == ["new_user #1 organic"]


# What the user stage is told, and keeps


def test_what_a_claim_gave_to_the_install_is_told_from_then_on() -> None:
    people, phone = Users(), Timeline()
    phone.install(0)
    assert people.install(phone, HOUR, "acme") == ["new_user #1 acme"]
    assert people.last.first == people.last.period


def test_a_user_is_the_same_after_it_was_stored() -> None:
    user = User(-5, 2**60, "app", "app|ü", "r", 3, 3)
    assert users.decode(users.encode(user)) == user


def test_a_user_stored_by_an_earlier_build_of_this_version_can_be_read() -> None:
    """Golden: if this fails, the stored form has changed in a way that needs a new version."""
    people, phone = Users(), installed()
    people.event(phone, "payment", HOUR, id="e-1")
    assert users.encode(people.state()).hex() == GOLDEN_WITH_APPENDED
    assert users.decode(bytes.fromhex(GOLDEN_WITH_APPENDED)) == people.state()
    earlier = users.decode(bytes.fromhex(GOLDEN))
    assert earlier.appended_s == 0
    assert msgspec.structs.replace(earlier, appended_s=people.state().appended_s) == people.state()


GOLDEN = (
    "0197cf0000019b77119680cf0000019b77119680b0636f6d2e6578616d706c652e67616d65b2636f6d2e6578616d706c652e"
    "67616d657c61a3652d31cf0000019b7711968001"
)
#: The same with the append time of the newest record at its end.
GOLDEN_WITH_APPENDED = GOLDEN.replace("0197", "0198", 1) + "ce6955c710"


@pytest.mark.parametrize("stored", [b"", b"\x00", b"\x02\x97"])
def test_an_unknown_version_of_a_user_is_refused(stored: bytes) -> None:
    with pytest.raises(UnknownVersionError, match="reads version 1"):
        users.decode(stored)


def test_a_damaged_user_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        users.decode(users.encode(User(1, 1, "a", "a|b", "r", 1))[:-1])


def test_a_fact_that_says_nothing_about_a_user_cannot_be_told() -> None:
    phone = Timeline()
    phone.event("launch", 0, user_id="u")
    with pytest.raises(ValueError, match="held"):
        users.tell(phone.last)


# For every history


@given(st.integers(0, 2**32).map(random.Random))
def test_no_window_of_a_user_moves_backwards_and_each_first_is_taken_once(dice: random.Random) -> None:
    people = Users()
    phones = [installed(name, inactivity_window=10 * HOUR) for name in "ab"]
    clock = newest = firsts = 0
    now = 0
    for _ in range(30):
        now += dice.choice((0, 1, HOUR, 10 * HOUR, 11 * HOUR))
        at = max(0, now - dice.choice((0, 0, 0, HOUR, 12 * HOUR)))
        name = dice.choice(("launch", "payment", "custom_payment", "coins", "install"))
        phone = dice.choice(phones)
        if name == "install":
            people.install(phone, at, appended=now)
        else:
            people.event(phone, name, at, appended=now)
        user = people.state() if people.states else None
        if user is None:
            continue
        assert user.clock >= clock
        assert user.newest >= newest
        assert user.newest >= user.clock
        assert user.firsts & firsts == firsts
        clock, newest, firsts = user.clock, user.newest, user.firsts
    taken = [one.event for fact in people.facts for one in fact.derived if one.event != "re_engagement_user"]
    assert len(taken) == len(set(taken))
