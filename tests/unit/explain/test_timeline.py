"""A device's state as a timeline, and a user's in words."""

from __future__ import annotations

from streams.attribution import state, users
from streams.explain.shown import device_lines, user_lines
from streams.explain.timeline import custom_names, device_story, user_story
from streams.explain.told import DeviceStory
from tests.unit.explain.building import DAY, DEVICE, HOUR, START, World


def story_of(world: World, now: int = 0) -> DeviceStory:
    """The device's state now, as it is stored."""
    device = world.material("").history.device
    assert device is not None
    stored = state.encode(device)
    names = custom_names(["event:coins", "install", "first_event_ca:gems"])
    return device_story(DEVICE, 3, state.decode(stored), len(stored), world.app, names, START + now)


def said(story: DeviceStory, about: str) -> str:
    return next(one.text for one in story.said if one.about == about)


def test_a_devices_state_is_a_timeline_of_its_attributions() -> None:
    world = World()
    world.install("i", 0, publisher_name="acme", click_timestamp=START - 3 * HOUR, campaign_name="spring")
    world.event("e-1", DAY + HOUR, "launch")
    world.event("e-2", DAY + 2 * HOUR)
    world.event("e-3", DAY + 2 * HOUR, "coins")
    world.event("e-4", DAY + 2 * HOUR, "secret name")
    world.event("e-5", 40 * DAY, publisher_name="globex", agency_name="initech", touch_type="impression")
    story = story_of(world, 41 * DAY)
    assert [(one.number, one.start, one.reason, one.source) for one in story.attributions] == [
        (1, START, "install", "acme"),
        (2, START + 40 * DAY, "re-engagement", "globex by the agency initech"),
    ]
    first, second = (one.text for one in story.attributions)
    assert first.startswith("acme; click 3 h before; campaign spring; used: first_payment_ca")
    assert second == "globex by the agency initech; impression at that moment; used: first_payment_ca"
    assert first.endswith(
        "first_event_ca:coins and first_event_ca of 1 custom event that no postback fires on (its name is kept as a "
        "hash only); session in the 24-hour period 2 from its start (newest kept: those that a late record could still "
        "meet)"
    )
    assert said(story, "clock") == (
        "last activity, or start, at 2026-02-10T00:00:00Z; dormant after 2026-03-12T00:00:00Z, in 29 d (inactivity "
        "window 30 d): an activity is then a re-engagement, an install a re-install"
    )
    assert said(story, "firsts used") == (
        "first_payment, first_event:coins and first_event of 1 custom event that no postback fires on (its name is "
        "kept as a hash only)"
    )
    assert said(story, "install") == "2026-01-01T00:00:00Z"
    assert said(story, "held") == "nothing"
    assert (story.known_since, story.held, story.partition) == (START, 0, 3)
    assert "dormant since 2026-03-12T00:00:00Z (inactivity window 30 d)" in said(story_of(world, 99 * DAY), "clock")


def test_programs_get_a_devices_state_as_data() -> None:
    world = World()
    world.install("i", 0, publisher_name="acme", click_timestamp=START - 3 * HOUR, campaign_id="7")
    world.event("e-1", DAY + HOUR, "launch")
    world.event("e-2", DAY + 2 * HOUR, "coins")
    world.event("e-3", 40 * DAY)
    story = story_of(world)
    first, second = story.attributions
    assert (first.publisher_name, first.campaign_id, first.touched_at) == ("acme", "7", START - 3 * HOUR)
    assert (first.firsts, first.custom_firsts, first.is_assumed) == ([], 1, False)
    assert (second.firsts, second.publisher_name) == (["first_payment_ca"], None)
    assert (story.clock, story.newest, story.installed_at) == (START + 40 * DAY, START + 40 * DAY, START)
    assert (story.dormant_from, story.too_late_before) == (START + 70 * DAY, START + 38 * DAY)
    assert (story.firsts, story.custom_firsts, story.held_records) == (["first_payment"], 1, [])


def test_a_device_that_waits_for_its_install_says_what_it_holds_and_until_when() -> None:
    world = World()
    world.event("e-1", HOUR, "launch")
    world.event("e-2", 2 * HOUR, appended=HOUR)
    world.until = None
    story = story_of(world)
    assert (story.attributions, story.known_since, story.held) == ([], None, 2)
    assert said(story, "held") == (
        "2 records, until every source has been read past 2026-01-01T01:01:00Z (append time), or an install comes: "
        "`launch` e-1 and `payment` e-2"
    )
    assert [(one.record_id, one.event_name, one.at - START) for one in story.held_records] == [
        ("e-1", "launch", HOUR),
        ("e-2", "payment", HOUR),
    ]
    assert (story.clock, story.newest, story.dormant_from) == (None, None, None)
    assert said(story, "remembered") == "2 record ids, against duplicates"
    assert "  not known yet: what it did is held" in list(device_lines(story))


def test_a_device_says_until_when_it_is_remembered() -> None:
    world = World(forget_after=90 * DAY)
    world.install("i", HOUR)
    words = "when nothing of it is appended until 2026-04-01T01:00:00Z (`forget_after` 90 d)"
    assert said(story_of(world), "forgotten") == words


def test_a_device_of_an_app_that_is_gone_is_shown_all_the_same() -> None:
    world = World()
    world.install("i", 0)
    device = world.material("").history.device
    assert device is not None
    story = device_story(DEVICE, 0, device, 10, None, (), START)
    assert said(story, "app") == "its app is not configured any more: its records are ignored"
    assert said(story, "clock") == "last activity, or start, at 2026-01-01T00:00:00Z"


def test_an_assumed_device_says_that_an_install_may_claim_it() -> None:
    world = World()
    world.event("e", 0)
    story = story_of(world)
    assert story.attributions[0].text.startswith(
        "organic; assumed: no install has been seen, and one that comes claims"
    )
    assert said(story, "install") == "none has been seen"


def test_a_users_state_is_told_in_words() -> None:
    world = World()
    world.event("e-1", 0, user_id="u1")
    world.users()
    assert world.user is not None
    assert world.user.state is not None
    story = user_story("shop|u1", 2, world.user.state, len(users.encode(world.user.state)))
    lines = list(user_lines(story))
    assert lines[0] == "user shop|u1, users partition 2"
    assert lines[-1].startswith("  size ")
    assert story.said[0].text == "2026-01-01T00:00:00Z on device game|abc of game, by record e-1"
    assert story.said[-2].text == "first_payment"
    assert (story.device_key, story.record_id, story.since) == (DEVICE, "e-1", START)
    assert (story.clock, story.newest, story.firsts) == (START, START, ["first_payment"])


def test_lines_fit_eighty_columns_and_move_no_cursor() -> None:
    world = World()
    world.install("i", 0, publisher_name="a\x1b[2Jb" * 10, click_timestamp=START - HOUR)
    for lines in (device_lines(story_of(world)), iter(world.text("i"))):
        assert "\x1b" not in "".join(lines)
    assert max(map(len, device_lines(story_of(world)))) <= 80
