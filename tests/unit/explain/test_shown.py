"""Stories as text: eighty columns, marks, colours only when asked for."""

from __future__ import annotations

import msgspec

from streams.explain.found import Looked
from streams.explain.listing import listing
from streams.explain.shown import listing_lines, looked_lines, story_lines
from tests.unit.explain.building import DAY, DEVICE, HOUR, START, World, postback


def world() -> World:
    made = World(
        postback(),
        postback("first_payment", id="first", partner="globex"),
        postback("install", id="installs"),
        postback(id="users", event="new_user", delivery_method="all"),
    )
    made.install("i", 0, publisher_name="acme", user_id="u1")
    made.event("e", DAY, user_id="u1", appended=DAY + 2_000)
    made.users()
    made.decided("e", DAY + 2_100)
    return made


def test_a_story_reads_as_this() -> None:
    found = world().story("e")
    job = next(one.job for one in found.postbacks if one.job)
    assert job is not None
    assert "\n".join(story_lines(found)) == TEXT.format(job=job.job_id)


TEXT = """\
event `payment` e of game|abc
  read from   events partition 0 offset 0, appended 2026-01-02T00:00:02Z
  time        own time 2026-01-02T00:00:00Z, appended 2026-01-02T00:00:02Z (2 s
              later)
  result      It was processed: decided when it was read.
  device      known since 2026-01-01T00:00:00Z (install, acme)
  order       not late: the newest before it was at 2026-01-01T00:00:00Z
  activity    last activity or start 2026-01-01T00:00:00Z, 1 d before;
              inactivity window 30 d: no re-engagement
  attribution 1 (acme) since 2026-01-01T00:00:00Z, by install. The record lies
              in attribution 1
  derived     payment (by attribution 1, acme), payment_ca (by attribution 1,
              acme), first_payment (by attribution 1, acme), first_payment_ca
              (by attribution 1, acme) and first_payment of the user (by
              attribution 1, acme)
  user        shop|u1: first seen 2026-01-01T00:00:00Z on device game|abc, by
              record i. Last activity, or first record: i of device game|abc at
              2026-01-01T00:00:00Z, 1 d before; inactivity window 30 d

postbacks, by generation 7
  … p (payment) → job {job}
      is 98 d 23 h 59 min 57 s old, more than the partner's `max_age` 1 d, and
      has no receipt: it will be `expired` when a sender reads it
  ✗ first (first_payment)
      `first_payment` goes by attribution 1, acme; this postback is for globex
      as publisher
  ✗ users (new_user)
      not a new user: the user shop|u1 was first seen at 2026-01-01T00:00:00Z on
      device game|abc, by record i
  · 1 other postback of the app does not fire on a `payment`; --all lists them"""


def test_all_lists_the_postbacks_that_cannot_fire() -> None:
    lines = list(story_lines(world().story("e"), everything=True))
    assert lines[-1] == "  · installs: fires on `install`"


def test_colours_are_painted_on_what_they_mean() -> None:
    painted: list[tuple[str, str]] = []

    def paint(text: str, kind: str) -> str:
        painted.append((text, kind))
        return text

    list(story_lines(world().story("e"), paint))
    assert {("…", "doubt"), ("✗", "no"), ("postbacks, by generation 7", "head")} <= set(painted)


def test_names_from_topics_move_no_cursor_and_lines_stay_short() -> None:
    made = World(postback(delivery_method="all"))
    made.event("e\x1b[2J", 0, "pay\rment " * 30)
    lines = list(story_lines(made.story("e\x1b[2J")))
    assert not [line for line in lines if not line.isprintable()]
    assert max(map(len, lines)) <= 80


def test_programs_get_the_same_story_as_data() -> None:
    found = msgspec.json.decode(msgspec.json.encode(world().story("e")))
    assert (found["record_id"], found["result"], found["late"]) == ("e", "processed", False)
    assert found["place"] == {"topic": "events", "partition": 0, "offset": 0, "appended": START + DAY + 2_000}
    assert [(one["postback_id"], one["reason"], one["scope"]) for one in found["postbacks"]] == [
        ("p", None, "device"),
        ("first", "other_source", "device"),
        ("users", "not_first", "user"),
    ]
    assert found["postbacks"][0]["job"]["outcome"] == "waiting"
    assert found["others"] == {"installs": "install"}


def test_a_list_of_records_is_a_line_each_and_the_newest_comes_last() -> None:
    made = world()
    made.event("late", HOUR, "coins", appended=DAY + 3_000)
    made.event("e", DAY, appended=DAY + 4_000)
    made.raw(b"{")
    history = made.material("").history
    assert list(listing_lines(listing(DEVICE, history))) == [
        "records of game|abc, by own time",
        "  2026-01-01T00:00:00Z      install  processed       i",
        "  -                         event    dead_letter     events-0-3",
        "  2026-01-01T01:00:00Z      coins    processed late  late",
        "  2026-01-02T00:00:00Z      payment  processed       e",
        "  2026-01-02T00:00:00Z      payment  duplicate       e",
    ]
    short = listing(DEVICE, history, most=1)
    assert (short.older, short.records[0].result) == (4, "duplicate")
    assert list(listing_lines(short))[1] == "  … 4 older ones"


def test_what_was_looked_through_is_a_line_for_each_topic() -> None:
    looked = [Looked("events", 3, 1_200, START, START + DAY, True), Looked("installs", 3, 0, None, None, False)]
    assert list(looked_lines(looked)) == [
        "events partition 3: 1,200 records, 2026-01-01T00:00:00Z to 2026-01-02T00:00:00Z, older ones are gone or were "
        "left out",
        "installs partition 3: 0 records, no records",
    ]
