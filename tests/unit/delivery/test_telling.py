"""What a sender tells the others of a partner."""

from __future__ import annotations

from schemas.control import Control, Entry, Records, Target, decode
from streams.delivery.telling import HOLD_TOLD, SAME_HOLD, told

NOW = 1_800_000_000_000
ACME = Target("partner", "acme")


def test_410_pauses_once() -> None:
    first = told(None, "acme", True, 0, NOW)
    paused = Control(paused=True, reason="410 Gone", since=NOW)
    assert [decode(*record) for record in first.records] == [Entry(ACME, "pause", paused)]
    assert told(first.control, "acme", True, 0, NOW + 1) == (first.control, ())


def test_a_hold_is_told_when_it_is_long_and_longer_than_the_one_before() -> None:
    assert told(None, "acme", False, NOW + HOLD_TOLD, NOW).records == ()
    first = told(None, "acme", False, NOW + HOLD_TOLD + 1, NOW)
    assert [decode(*record).part for record in first.records] == ["hold"]
    again = NOW + HOLD_TOLD + 1 + SAME_HOLD
    assert told(first.control, "acme", False, again, NOW).records == ()
    assert told(first.control, "acme", False, again + 1, NOW).records != ()


def test_a_hold_from_who_has_not_heard_of_a_pause_leaves_the_pause_in_force() -> None:
    records = Records()
    records.take(Entry(ACME, "pause", Control(paused=True, reason="a sale", since=NOW)))
    for record in told(None, "acme", False, NOW + 60_000, NOW).records:
        records.take(decode(*record))
    assert records.of(ACME) == Control(paused=True, hold_until=NOW + 60_000, reason="a sale", since=NOW)
