"""What a record was to its user: told from the users topic, and from less where that does not reach back."""

from __future__ import annotations

import pytest

from schemas.config import App
from schemas.decision import Decision, DerivedNote
from streams.explain.found import UserSeen
from streams.explain.story import stories
from streams.explain.told import Answer
from streams.postbacks.index import Index
from tests.unit.explain.building import DAY, DEVICE, HOUR, SECOND, START, World, copy, postback

FIRST = postback("first_payment", delivery_method="all", scope="user")
RETURN = postback("re_engagement_user", delivery_method="all")
NEW = postback("new_user", delivery_method="all")


def elsewhere(world: World, *steps: tuple[str, int, str], device: str = "xyz", app: App | None = None) -> None:
    """What the user did on another device before: (record, time, event)."""
    other = World(**({"platform": app.platform} if app else {}))
    for record_id, at, name in steps:
        other.event(record_id, at, name, user_id="u1")
    other.users()
    for told in other.told:
        world.told.append(
            copy(told, device_key=f"{app.id if app else 'game'}|{device}", app_id=app.id if app else "game")
        )


def seen(world: World) -> World:
    """The user stage has seen the other devices' records, and then the device's."""
    from streams.attribution import users

    state = None
    apps = Index(world.configuration).apps
    for told in world.told:
        state, _ = users.judge(state, told, apps[told.app_id])
    for reading in world.material("").history.readings:
        fact = reading.processed
        if fact is not None and fact.result in ("processed", "reinstall") and fact.entry.record.user_id:
            world.told.append(users.tell(fact))
            state, _ = users.judge(state, world.told[-1], apps["game"])
    world.user = UserSeen("shop|u1", state, world.told)
    return world


def test_a_users_first_on_another_device_is_named_with_its_device() -> None:
    world = World(FIRST)
    elsewhere(world, ("o-1", 0, "payment"), ("o-2", HOUR, "payment"))
    world.event("e", DAY, user_id="u1")
    answer = seen(world).answer("e")
    assert answer.text == (
        "not the first `payment` of the user: that was record o-1 of device game|xyz at 2026-01-01T00:00:00Z"
    )


def test_a_users_return_is_told_with_the_last_activity_on_another_device() -> None:
    world = World(RETURN)
    elsewhere(world, ("o-1", 0, "launch"), ("o-2", DAY, "coins"))
    world.event("e-1", 30 * DAY, "launch", user_id="u1")
    world.event("e-2", 60 * DAY + SECOND, "launch", user_id="u1")
    assert seen(world).answer("e-1").text == (
        "the user's last activity, or first record, was 30 d before, record o-1 of device game|xyz at "
        "2026-01-01T00:00:00Z; that is not more than the inactivity window of 30 d"
    )
    assert "re_engagement_user of the user" in world.said("e-2", "derived")
    assert world.said("e-2", "user") == (
        "shop|u1: first seen 2026-01-01T00:00:00Z on device game|xyz, by record o-1. Last activity, or first record: "
        "e-1 of device game|abc at 2026-01-31T00:00:00Z, 30 d 1 s before; inactivity window 30 d"
    )


def test_a_users_record_in_another_app_goes_by_the_rules_of_that_app() -> None:
    world = World(FIRST)
    web = App(id="shop", project="shop", platform="web", bundle_id="shop", device_key=("visitor_id",))
    world.configuration = copy(world.configuration, apps=(world.app, web))
    elsewhere(world, ("o-1", 0, "visit"), app=web)
    world.told.append(copy(world.told[0], id="o-2", name="payment", at=START + HOUR))
    world.event("e", DAY, user_id="u1")
    assert "first_payment of the user" in seen(world).said("e", "derived")


def forgotten(world: World) -> World:
    """The users topic does not hold any more what was told before the day that is asked about."""
    world.told.clear()
    assert world.user is not None
    return world


def test_when_the_users_topic_is_gone_the_devices_own_records_tell_that_it_was_no_first() -> None:
    world = World(FIRST)
    world.install("i", -DAY, user_id="u1")
    world.event("e-1", 0, user_id="u1")
    world.event("e-2", DAY, user_id="u1")
    assert forgotten(seen(world)).answer("e-2").text == (
        "not the first `payment` of the user: record e-1 of device game|abc at 2026-01-01T00:00:00Z came before it; "
        "which one was the first lies before what the topics still hold"
    )


def test_when_nothing_tells_whether_it_was_a_first_that_is_said() -> None:
    world = World(FIRST, copy(RETURN, id="back"))
    elsewhere(world, ("o-1", 0, "payment"))
    world.event("e", DAY, user_id="u1")
    forgotten(seen(world))
    for name in ("p", "back"):
        answer = world.answer("e", name)
        assert (answer.reason, answer.job and answer.job.outcome) == (None, "unknown")
        assert "whether it was due can only be told by what the user did before, and that lies before" in answer.text


def decision(*derived: str) -> Decision:
    return Decision(
        record_id="e", app_id="game", device_key=DEVICE, kind="event", event_name="payment", at=START + DAY,
        appended=START + DAY, decided_at=START + DAY, generation=7, result="processed", scope="user",
        derived=[DerivedNote(event=one, attribution_number=1) for one in derived],
    )  # fmt: skip


def test_when_the_users_topic_is_gone_the_decisions_tell() -> None:
    world = World(copy(FIRST, delivery_method="network"))
    elsewhere(world, ("o-1", 0, "launch"))
    world.event("e", DAY, user_id="u1")
    forgotten(seen(world)).recorded.decisions.append(decision("first_payment"))
    answer = world.answer("e")
    assert (answer.reason, answer.job) == ("other_source", None)
    world.recorded.decisions[:] = [decision()]
    assert world.answer("e").text.startswith("not the first `payment` of the user: the decisions say so; which one was")


@pytest.mark.parametrize("one", [NEW, RETURN, FIRST, copy(FIRST, event="first_custom_payment")])
def test_a_postback_of_the_user_says_that_the_record_has_no_user(one: object) -> None:
    world = World(one)  # type: ignore[arg-type]
    name = "custom_payment" if "custom" in one.event else "payment"  # type: ignore[attr-defined]
    world.install("i", 0)
    world.event("e", DAY, name)
    answer = world.answer("e")
    event = one.event  # type: ignore[attr-defined]
    assert (answer.reason, answer.scope, answer.job) == ("no_user", "user", None)
    assert answer.text == f"`{event}` needs the user (scope user), and the record carries no `user_id`"
    assert world.story("e").others == {}
    assert "do not fire" not in world.text("e")


def test_a_postback_of_the_user_that_such_a_record_never_fires_is_not_told_of_the_user() -> None:
    world = World(FIRST, copy(RETURN, id="back"))
    world.event("e", 0, "coins")
    assert world.story("e").others == {"p": "first_payment", "back": "re_engagement_user"}


def first_activity(world: World) -> Answer:
    world.event("e", 20_777 * HOUR, "launch", user_id="u1")
    world.users()
    return world.answer("e")


def test_the_first_record_of_a_device_is_no_return() -> None:
    answer = first_activity(World(postback("re_engagement", delivery_method="all")))
    assert (answer.reason, answer.job) == ("first_activity", None)
    assert answer.text == (
        "the record is the first activity of the device: nothing lies before it that it could come back from"
    )


def test_the_first_record_of_a_user_is_no_return() -> None:
    answer = first_activity(World(RETURN))
    assert (answer.reason, answer.job) == ("first_activity", None)
    assert "the first of the user" in answer.text


def test_a_recorded_reason_for_a_first_record_tells_no_time_before_all_times() -> None:
    from schemas.decision import Verdict

    world = World(postback("re_engagement", delivery_method="all"))
    world.event("e", DAY)
    said = copy(decision(), scope="device")
    said.verdicts.append(Verdict(postback_id="p", event="re_engagement", reason="inside_window"))
    world.recorded.decisions.append(said)
    answer = world.answer("e")
    assert (answer.reason, answer.note) == ("inside_window", None)
    assert "1970" not in answer.text
    assert answer.text.startswith("the record is the first activity of the device")
    older = World()
    older.install("i", -DAY)
    world.kept.device = older.material("i").history.device
    assert world.answer("e").text == "what the device did before lies before what the topics still hold"


def test_records_of_one_id_are_each_told_of_their_own_user() -> None:
    world = World(NEW)
    world.install("same", 0, user_id="u1")
    world.event("same", DAY, user_id="u2")
    world.users()
    material = world.material("same")
    assert world.user is not None
    material.users = {"shop|u1": world.user, "shop|u2": UserSeen("shop|u2")}
    install, event = stories(material, Index(world.configuration))
    said = [one.text for story in (install, event) for one in story.said if one.about == "user"]
    assert said == ["shop|u1: first seen with this record", "shop|u2: the user stage has not seen it yet"]


def test_a_record_without_a_user_is_told_no_users_story_though_its_namesake_has_one() -> None:
    world = World(NEW)
    world.install("same", 0, user_id="u1")
    world.event("same", DAY)
    world.users()
    install, event = stories(world.material("same"), Index(world.configuration))
    assert [one.about for one in event.said if one.about == "user"] == []
    assert [one.about for one in install.said if one.about == "user"] == ["user"]
    assert event.postbacks[0].reason == "no_user"
