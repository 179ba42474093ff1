"""Whom a name means, what is in force, and what is said about it."""

from __future__ import annotations

import pytest

from schemas.config import HOUR, SECOND
from schemas.control import Control, Entry, Records, Target, TargetKind
from streams.pauses import listing, words
from streams.pauses.naming import Unclear, find
from tests.support.sending import configuration, partner_named, postback_named

NOW = 1_800_000_000_000
CONFIGURED = configuration(
    [partner_named("acme", aliases=("acme ads", "both")), partner_named("other", rate_limit=50.0)],
    [
        postback_named("acme-install"),
        postback_named("acme-payment"),
        postback_named("other-install", "other", status="paused"),
        postback_named("both", "other"),
    ],
)


def records(*entries: Entry) -> Records:
    found = Records()
    for entry in entries:
        found.take(entry)
    return found


@pytest.mark.parametrize(
    ("name", "kind", "meant"),
    [
        ("acme", None, Target("partner", "acme")),
        ("acme ads", None, Target("partner", "acme")),
        ("acme-install", None, Target("postback", "acme-install")),
        ("both", "partner", Target("partner", "acme")),
        ("both", "postback", Target("postback", "both")),
    ],
)
def test_a_name_means_a_partner_by_id_or_alias_or_a_postback(name: str, kind: TargetKind | None, meant: Target) -> None:
    assert find(name, CONFIGURED, kind) == meant


def test_a_name_of_both_is_asked_for() -> None:
    found = find("both", CONFIGURED)
    assert found == Unclear("both is the partner acme and the postback both", "say which: --partner or --postback")


def test_a_purge_is_no_other_meaning_of_its_name() -> None:
    assert find("acme", CONFIGURED, written=[Target("purge-partner", "acme")]) == Target("partner", "acme")


def test_a_name_of_nobody_has_the_nearest_one() -> None:
    assert find("acme-instal", CONFIGURED) == Unclear(
        "there is no partner or postback acme-instal", "did you mean acme-install?"
    )
    assert find("acme-install", CONFIGURED, "partner") == Unclear(
        "there is no partner acme-install", "there are acme, acme ads, both, other"
    )
    assert isinstance(find("acme", None), Unclear)


def test_what_is_not_configured_any_more_can_be_resumed() -> None:
    gone = Target("partner", "gone")
    assert find("gone", CONFIGURED, None, [gone]) == gone


def test_pauses_and_holds_in_force_are_listed() -> None:
    acme, gone = Target("partner", "acme"), Target("postback", "gone")
    found = records(
        Entry(acme, "pause", Control(paused=True, reason="a sale", since=NOW - HOUR)),
        Entry(acme, "hold", Control(hold_until=NOW + HOUR, reason="Retry-After", since=NOW)),
        Entry(Target("partner", "other"), "hold", Control(hold_until=NOW, reason="Retry-After")),
        Entry(gone, "pause", Control(paused=True)),
    )
    rows = listing.in_force(found, CONFIGURED, NOW)
    assert [words.cells(row) for row in rows] == [
        ("partner", "acme", "paused", "2027-01-15T07:00:00Z", "resume", "a sale"),
        ("partner", "acme", "held", "2027-01-15T08:00:00Z", "2027-01-15T09:00:00Z", "Retry-After"),
        ("postback (gone)", "gone", "paused", "", "resume", ""),
        ("postback", "other-install", "paused", "", "apply", "status: paused, in the configuration"),
    ]


def test_a_pause_says_what_it_stops() -> None:
    first, *others = words.paused(Target("partner", "acme"), CONFIGURED)
    assert first == "the partner acme is paused: 2 postbacks (acme-install, acme-payment)"
    assert others[-1].startswith("no attempt is charged; a job that is not sent within 1d of its decision")


def test_the_end_of_a_pause_says_what_was_and_how_it_goes_on() -> None:
    was = Control(paused=True, hold_until=NOW + HOUR, reason="410 Gone", since=NOW)
    told = list(words.resumed(Target("partner", "other"), was, CONFIGURED, NOW, 32 * SECOND))
    assert told == [
        "the partner other is resumed; it was paused since 2027-01-15T08:00:00Z (410 Gone), "
        "held until 2027-01-15T09:00:00Z",
        "jobs that waited go on within 32s, at the partner's limit: 50/s, 100 at once",
        "jobs that have been given a time after the hold are sent at that time; new ones at once",
    ]
    (told_of_none,) = words.resumed(Target("partner", "acme"), Control(hold_until=NOW), CONFIGURED, NOW, 1)
    assert told_of_none == "the partner acme is neither paused nor held"


def test_what_stays_paused_is_said() -> None:
    found = records(
        Entry(Target("partner", "acme"), "pause", Control(paused=True, reason="a sale")),
        Entry(Target("postback", "both"), "pause", Control(paused=True)),
    )
    of_postback = list(words.left(Target("postback", "acme-install"), found, CONFIGURED, NOW))
    assert of_postback == ["its partner acme is paused (a sale): `ringback resume acme`"]
    assert list(words.left(Target("partner", "other"), found, CONFIGURED, NOW)) == [
        "the postback other-install stays paused by its configuration: set `status: active` and apply it",
        "the postback both stays paused: `ringback resume both`",
    ]
