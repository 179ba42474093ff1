"""The story of a record: what became of it, and the arithmetic of its windows."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from schemas.config import Partner
from schemas.dead_letter import JOB_REASONS, REASONS, DeadLetter
from schemas.decision import RESULTS, Decision
from streams.explain.found import UserSeen
from streams.explain.sentences import DEAD
from streams.explain.sentences import RESULTS as SENTENCES
from streams.explain.shown import doubts
from tests.unit.explain.building import DAY, DEVICE, HOUR, MINUTE, SECOND, START, World, copy, postback

#: What is asked, and what the answer must say: (world, record, words).
Case = tuple[World, str, str]


def processed() -> Case:
    world = World()
    world.event("e", 0)
    world.install("i", HOUR)
    return world, "i", "It was processed: decided when it was read."


def held() -> Case:
    world = World()
    world.event("e", 0)
    world.until = None
    words = (
        "It is held: the device is unknown, and its install may still come from another topic. It is released when "
        "every source of partition 0 has been read past, or found at its end after, the append time "
        "2026-01-01T00:01:00Z (2026-01-01T00:00:00Z + `install_grace` 1 min), or by an install."
    )
    return world, "e", words


def duplicate() -> Case:
    world = World()
    world.event("e", 0)
    world.event("e", 0, appended=MINUTE * 2)
    words = (
        "It changed nothing: an event with the id e was read before on this device, events partition 0 offset 0, "
        "appended 2026-01-01T00:00:00Z."
    )
    return world, "e", words


def too_late() -> Case:
    world = World()
    world.install("i", 0)
    world.event("e-1", 5 * DAY)
    world.event("e-2", DAY, appended=6 * DAY)
    words = (
        "its own time 2026-01-02T00:00:00Z lies 4 d before the newest of its device, 2026-01-06T00:00:00Z; the app's "
        "`dedup_window` is 2 d, so everything before 2026-01-04T00:00:00Z is too late."
    )
    return world, "e-2", words


def reinstall() -> Case:
    world = World()
    world.install("i-1", 0)
    world.install("i-2", 12 * DAY, publisher_name="acme")
    words = (
        "an install 12 d after the last activity or install at 2026-01-01T00:00:00Z, which is inside the inactivity "
        "window of 30 d. It claims nothing: the organic install at 2026-01-01T00:00:00Z lies 12 d away, `claim_window` "
        "is 1 d."
    )
    return world, "i-2", words


def unread() -> Case:
    world = World()
    world.install("i", 0)
    world.event("e-1", 0)
    world.event("e-2", 0)
    world.kept.positions = {"installs": 1, "events": 0}
    words = "the worker has not read it yet. It comes after 1 other record of its topic's partition; look at"
    return world, "e-2", words


CASES: dict[str, Callable[[], Case]] = {
    "processed": processed,
    "held": held,
    "duplicate": duplicate,
    "too_late": too_late,
    "reinstall": reinstall,
    "unread": unread,
}


@pytest.mark.parametrize("result", CASES)
def test_each_result_is_told_with_what_was_compared(result: str) -> None:
    world, record_id, words = CASES[result]()
    story = world.stories(record_id)[-1]
    assert story.result == result
    (said,) = [one.text for one in story.said if one.about == "result"]
    assert words in said
    assert "{" not in said


def test_every_result_has_its_sentence_and_its_case() -> None:
    assert SENTENCES.keys() == RESULTS.keys() | {"unread"} == CASES.keys() | {"unknown_app"}


def test_a_record_of_an_app_that_is_not_configured_was_ignored() -> None:
    world = World()
    world.raw(
        json.dumps({"id": "e", "app_id": "other", "google_aid": "abc", "event_name": "x"}).encode(), key=b"other|abc"
    )
    story = world.stories_of("e", "other|abc")
    assert story.result == "unknown_app"
    assert story.said[0].text.startswith("It was ignored: no app other is configured (generation 7).")


#: Reason → a value that is refused for it, and what is said.
REFUSED: dict[str, tuple[bytes | None, str]] = {
    "undecodable": (b'{"id": "e", ', "it cannot be read: not JSON"),
    "null": (None, "it has no value (a tombstone)"),
    "invalid": (b'{"id": "e", "app_id": "game", "google_aid": "abc"}', "a field is missing or wrong: event_name"),
    "no_identifier": (b'{"id": "e", "app_id": "game", "event_name": "x"}', "none of google_aid"),
    "time": (
        b'{"id": "e", "app_id": "game", "google_aid": "abc", "event_name": "x", "event_timestamp": 1}',
        "its own time cannot be: own time",
    ),
    "too_large": (
        b'{"id": "e", "app_id": "game", "google_aid": "abc", "event_name": "' + b"x" * 2_000 + b'"}',
        "it is too large: event_name: has 2,000 characters",
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_each_refusal_is_told_with_its_reason(reason: str) -> None:
    value, words = REFUSED[reason]
    world = World(postback())
    world.raw(value)
    record_id = "events-0-0" if value is None else "e"
    story = world.story(record_id)
    assert (story.result, story.postbacks, story.others) == ("dead_letter", [], {})
    said = world.said(record_id, "result")
    assert f"It is a dead letter ({reason}): " in said
    assert words in said
    assert "but none is found there any more" in said


def test_every_reason_of_a_dead_letter_has_its_sentence() -> None:
    assert DEAD.keys() == REASONS.keys() - set(JOB_REASONS)
    assert DEAD.keys() - REFUSED.keys() == {"internal"}


def letter(reason: str, detail: str, topic: str = "events", offset: int = 0) -> DeadLetter:
    return DeadLetter(
        kind="input", reason=reason, detail=detail, topic=topic, partition=0, offset=offset, at=START + SECOND
    )


def test_a_dead_letter_that_was_written_says_why_and_when() -> None:
    world = World()
    world.raw(b'{"id": "e", ')
    world.recorded.letters.append(letter("internal", "ValueError: as it was written"))
    said = world.said("e", "result")
    assert "(internal): a rule raised an error, which is a fault of Ringback: ValueError: as it was written" in said
    assert "hold it whole, written 2026-01-01T00:00:01Z" in said


def test_a_dead_letter_of_what_followed_from_a_record_is_told_too() -> None:
    world = World(postback(delivery_method="all"))
    world.event("e", 0)
    world.recorded.letters.append(letter("too_large", "the job of postback p: 2,000,000 bytes", "", -1))
    assert world.said("e", "dead letter").startswith("2026-01-01T00:00:01Z, too_large: it is too large: the job of")


@pytest.mark.parametrize(
    ("click", "kind", "words"),
    [
        (-3 * HOUR, "click", "acme: click 3 h before the record; lookback 7 d (the default): counts"),
        (-8 * DAY, "click", "acme: click 8 d before the record; lookback 7 d (the default): too old, does not count"),
        (-2 * DAY, "impression", "impression 2 d before the record; lookback 1 d (the default): too old"),
        (4 * MINUTE, "click", "click 4 min after the record; lookback 7 d (the default): counts"),
        (
            6 * MINUTE,
            "click",
            "6 min after the record; lookback 7 d (the default), 5 min of clock skew allowed: it lies",
        ),
        (0, "click", "acme: click at the record's own time; lookback 7 d (the default): counts"),
        (-7 * DAY - 1, "click", "click 7 d 1 ms before the record; lookback 7 d (the default): too old, does not"),
        (5 * MINUTE + 1, "click", "click 5 min 1 ms after the record; lookback 7 d (the default), 5 min of clock"),
        (None, "click", "acme: click with no time given, so the record's own; lookback 7 d (the default): counts"),
    ],
)
def test_whether_a_touch_counts_is_told_with_its_arithmetic(click: int | None, kind: str, words: str) -> None:
    world = World()
    at = None if click is None else START + 10 * DAY + click
    world.install("i", 10 * DAY, publisher_name="acme2", touch_type=kind, click_timestamp=at)
    assert words.replace("acme", "acme2") in world.said("i", "touch")


def test_the_lookback_of_a_partner_is_its_own() -> None:
    world = World(partners=[Partner(id="acme", name="Acme", click_lookback=HOUR)])
    world.install("i", 0, publisher_name="acme", click_timestamp=START - 2 * HOUR)
    assert world.said("i", "touch") == "acme: click 2 h before the record; lookback 1 h: too old, does not count"
    assert "1 (organic) since" in world.said("i", "attribution")


def test_a_device_that_was_forgotten_is_told_to_be_new() -> None:
    world = World(postback("first_payment", delivery_method="all"), forget_after=90 * DAY)
    world.install("i-1", 0)
    world.event("e-1", HOUR)
    world.install("i-2", 95 * DAY)
    world.event("e-2", 96 * DAY)
    world.event("e-3", 97 * DAY)
    assert (
        "new: this is its first appearance since it was forgotten. Before, nothing of it had been appended after "
        "2026-01-01T01:00:00Z, for longer than 90 d (`forget_after`)"
    ) in world.text("i-2")
    assert "record e-2 at" in world.text("e-3")
    assert "record e-1 at" not in world.text("e-3")


def test_activity_is_told_with_the_arithmetic_of_the_inactivity_window() -> None:
    world = World()
    world.install("i", 0)
    world.event("e-1", 12 * DAY)
    world.event("e-2", 45 * DAY, publisher_name="globex")
    world.event("e-3", 46 * DAY, "coins")
    last = "last activity or start 2026-01-01T00:00:00Z, 12 d before; inactivity window 30 d: no re-engagement"
    assert world.said("e-1", "activity") == last
    assert world.said("e-2", "activity") == last.replace("01-01", "01-13").replace("12 d", "33 d").replace(
        "no re", "a re"
    )
    assert world.said("e-3", "activity").startswith("`coins` is no activity")
    assert world.said("e-2", "attribution") == (
        "1 (organic) since 2026-01-01T00:00:00Z, by install; 2 (globex) since 2026-02-15T00:00:00Z, by re-engagement. "
        "The record lies in attribution 2"
    )
    assert "re_engagement (by attribution 2, globex), payment (by attribution 1, organic), payment_ca" in world.said(
        "e-2", "derived"
    )
    assert world.said("e-3", "device") == (
        "known since 2026-01-01T00:00:00Z (install, organic); by then in attribution 2 (globex) since "
        "2026-02-15T00:00:00Z"
    )


def test_what_was_held_says_how_it_was_released() -> None:
    world = World()
    world.event("e-1", 0)
    world.event("e-2", HOUR, appended=10 * SECOND)
    world.install("i", 5 * SECOND, appended=30 * SECOND)
    assert world.said("e-1", "result") == (
        "It was processed: it was held, since the device was unknown when it was read, and its install might still "
        "come from another topic. Its install came, record i, appended 2026-01-01T00:00:30Z, and went first; then the "
        "held records, in the order of their own times."
    )
    assert "since the device held 1 other record already when it was read. Its" in world.said("e-2", "result")
    assert world.said("e-1", "order").startswith("late: its own time lies 5 s before the newest of the device")
    assert world.said("e-2", "order") == "not late: the newest before it was at 2026-01-01T00:00:05Z"

    alone = World()
    alone.event("e", 0)
    assert "No install came before 2026-01-01T00:01:00Z (append time); when every source had" in alone.said(
        "e", "result"
    )
    assert "1 (organic, assumed) since" in alone.said("e", "attribution")

    full = World()
    full.limits = full.limits._replace(held_records=1)
    full.event("e-1", 0)
    full.event("e-2", 0)
    for record_id in ("e-1", "e-2"):
        assert "released when the device held as many records as it may" in full.said(record_id, "result")


def test_what_was_held_for_a_dormant_device_says_so_after_its_release() -> None:
    world = World()
    world.install("i", 0)
    world.event("e-2", 31 * DAY + HOUR, appended=31 * DAY + HOUR)
    world.event("e-1", 31 * DAY, appended=31 * DAY + HOUR)
    assert (
        "it was held, since the device was dormant when it was read (last activity or start 2026-01-01T00:00:00Z, 31 d "
        "1 h before, inactivity window 30 d), and a re-install might still come from another topic. No install came"
    ) in world.said("e-2", "result")
    assert "the held records were released, in the order of their own times" in world.said("e-1", "result")
    assert "re-engagement" in world.said("e-1", "activity")


def test_the_arithmetic_is_exact_at_the_edge_of_the_window() -> None:
    world = World(install_grace=0)
    world.install("i", 0)
    world.event("e", 30 * DAY + SECOND)
    assert world.said("e", "activity") == (
        "last activity or start 2026-01-01T00:00:00Z, 30 d 1 s before; inactivity window 30 d: a re-engagement"
    )


def test_a_late_install_that_claims_an_assumed_device_is_told_as_a_claim() -> None:
    world = World(postback("install"), postback("re_install", id="again", delivery_method="all"))
    world.event("e", 2 * DAY, appended=3 * DAY)
    world.install("i", DAY, appended=5 * DAY, publisher_name="acme")
    claim = world.said("i", "claim")
    assert "the device was assumed organic, since no install had been seen, and this install claims it" in claim
    assert "`install` fires with the install's own source. Attribution 1 is now that of acme" in claim
    assert world.said("i", "order") == (
        "late: its own time lies 1 d before the newest of the device, 2026-01-03T00:00:00Z. A claim may be late"
    )
    assert world.said("i", "activity").endswith("a claim, which moves no window")
    assert "opens no attribution" not in world.text("i").partition("postbacks, by")[0]


def test_a_claim_within_its_window_is_told_with_its_arithmetic() -> None:
    world = World()
    world.install("i-1", 0)
    world.install("i-2", HOUR + SECOND, publisher_name="acme")
    assert world.said("i-2", "claim").startswith(
        "the organic install at 2026-01-01T00:00:00Z had no source, and this one, 1 h 1 s away, claims it "
        "(`claim_window` 1 d). Attribution 1 is now that of acme"
    )
    assert world.said("i-1", "claim") == ""


def test_an_organic_install_claims_an_assumed_device_too() -> None:
    world = World()
    world.event("e", 0)
    world.install("i", HOUR)
    assert "Attribution 1 is now organic, with an install that was seen" in world.said("i", "claim")


def test_a_dormant_device_says_since_when() -> None:
    world = World()
    world.install("i", 0)
    world.event("e", 31 * DAY)
    world.until = None
    assert "the device is dormant (last activity or start 2026-01-01T00:00:00Z, 31 d before" in world.said(
        "e", "result"
    )


def test_what_the_user_stage_has_not_seen_yet_is_not_decided_yet() -> None:
    world = World(postback("new_user", delivery_method="all"))
    world.event("e", 0, user_id="u1")
    world.user = UserSeen("shop|u1")
    assert world.answer("e").text == "not decided yet: the user stage has not seen the user"
    assert world.said("e", "user") == "shop|u1: the user stage has not seen it yet"
    assert "new_user" not in world.said("e", "derived")


def test_a_users_record_that_its_topic_does_not_hold_any_more_is_told_by_the_users_state() -> None:
    world = World(postback("new_user", delivery_method="all"))
    world.event("e-1", 0, user_id="u1")
    world.event("e-2", DAY, user_id="u1")
    world.users()
    world.told.clear()
    assert world.answer("e-2").text.startswith(
        "not a new user: the user shop|u1 was first seen at 2026-01-01T00:00:00Z"
    )
    first = world.answer("e-1")
    assert (first.reason, first.job and first.job.outcome) == (None, "unknown")
    assert "new_user of the user (by attribution 1" in world.said("e-1", "derived")


def test_on_the_web_a_payment_says_that_it_has_no_derived_events() -> None:
    world = World(postback("custom_payment", delivery_method="all"), platform="web")
    world.event("e", 0, "visit")
    world.event("p", DAY, "payment")
    world.event("c", DAY, "custom_payment")
    none = "`payment` has none of its own on the web (`ringback events --platform web` lists what there is)"
    assert world.said("p", "derived") == none
    assert world.said("c", "derived").startswith("custom_payment (by attribution 1, organic)")
    assert world.story("p").others == {"p": "custom_payment"}


def test_postbacks_that_cannot_fire_are_one_line() -> None:
    world = World(postback("install"), postback("app_open", id="opens"), postback(id="pays"))
    world.install("i", 0, publisher_name="acme")
    world.event("e", DAY)
    assert world.story("e").others == {"p": "install", "opens": "app_open"}
    assert "· 2 other postbacks of the app do not fire on a `payment`; --all lists them" in world.text("e")
    assert "· 1 other postback of the app does not" in World.text(_with_one(), "e")


def _with_one() -> World:
    world = World(postback("install"))
    world.event("e", 0)
    return world


def test_an_install_and_an_event_may_share_an_id_and_each_has_its_story() -> None:
    world = World()
    world.install("same", 0)
    world.event("same", DAY)
    assert [(one.kind, one.result) for one in world.stories("same")] == [
        ("install", "processed"),
        ("event", "processed"),
    ]


def test_a_record_without_an_id_is_found_by_its_place() -> None:
    world = World()
    world.raw(b'{"app_id": "game", "google_aid": "abc", "event_name": "x"}')
    assert world.story("events-0-0").result == "processed"
    assert world.said("events-0-0", "time") == (
        "own time 2026-01-01T00:00:00Z: it has none of its own, so that of its append counts"
    )


def test_the_result_that_was_recorded_counts_before_what_the_rules_come_to_now() -> None:
    world = World()
    world.event("e", 0)
    world.recorded.decisions.append(
        Decision(
            record_id="e", app_id="game", device_key=DEVICE, kind="event", event_name="payment", at=START,
            appended=START, decided_at=START + SECOND, generation=6, result="too_late",
        )
    )  # fmt: skip
    assert world.said("e", "recorded").startswith(
        "The decisions topic says `too_late` (decided 2026-01-01T00:00:01Z, generation 6), and that counts"
    )


@pytest.mark.parametrize("later", [0, SECOND])
def test_what_was_recorded_of_a_duplicate_is_not_said_of_the_record(later: int) -> None:
    world = World()
    world.event("e", 0, appended=2 * MINUTE)
    world.event("e", 0, appended=2 * MINUTE + later)
    world.recorded.decisions.append(
        Decision(
            record_id="e", app_id="game", device_key=DEVICE, kind="event", event_name="payment", at=START,
            appended=START + 2 * MINUTE + later, decided_at=START + HOUR, generation=7, result="duplicate",
        )
    )  # fmt: skip
    assert [one.result for one in world.stories("e")] == ["processed", "duplicate"]
    assert not [one for story in world.stories("e") for one in story.said if one.about == "recorded"]


def test_the_reader_is_told_what_a_story_does_not_rest_on() -> None:
    world = World()
    world.event("e", 0)
    material = world.material("e")
    assert list(doubts(material)) == []
    material.generation = 3
    assert "generation 3, which decided this record, is not kept any more" in next(doubts(material))
    material.generation, material.live = None, copy(material.live, generation=9)
    assert list(doubts(material)) == ["decided under generation 7; generation 9 is in force now"]
    material.live = material.configuration
    older = World()
    older.install("i", -100 * DAY)
    material.kept.device = older.material("i").history.device
    assert "begins at 2025-09-23T00:00:00Z and is at attribution 1" in next(doubts(material))
    assert "do not reach back to its beginning" in next(doubts(material))
    paid = World()
    paid.event("e0", 0)
    paid.event("e", 1)
    material.kept.device = paid.material("e").history.device
    assert list(doubts(material)) == []
    assert material.kept.device is not None
    material.kept.device.firsts |= 1 << 1
    material.kept.device.attributions[0].firsts |= 1 << 1
    (doubt,) = doubts(material)
    assert "has used first_" in doubt
    assert "and no record in the input topics did" in doubt
    material.kept.device, material.kept.positions = None, None
    assert "was it another group" in next(doubts(material))
