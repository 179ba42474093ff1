"""The fold and the plain reference tell the same story of random histories."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from streams.attribution.facts import Fact
from streams.attribution.state import Attribution
from tests.support.reference import Asker, Firing, Reference, Told
from tests.unit.attribution import histories
from tests.unit.attribution.timeline import HOUR, Timeline

FOR_EVER = 10 * histories.APPENDED

ASKERS = (
    Asker(frozenset({"acme"})),
    Asker(frozenset({"globex", "quick"})),
    Asker(frozenset({"initech"}), agencies=True),
    Asker(frozenset({"acme", "initech"}), agencies=True),
)


def told_by_fold(fact: Fact) -> Told:
    derived = tuple(firing(one.event, one.attribution, one.claim) for one in fact.derived)
    return Told(fact.entry.kind, fact.entry.id, fact.result, fact.late, derived, tuple(sessions_of(fact)))


def sessions_of(fact: Fact) -> Iterator[tuple[Asker, Firing]]:
    for asker in ASKERS:
        for session in fact.sessions:
            told = firing("session", session.attribution)
            if asker.owns(told.source):
                if session.due:
                    yield asker, told
                break


def firing(event: str, attribution: Attribution, claim: bool = False) -> Firing:
    touch = attribution.touch
    source = None if touch is None else (touch.publisher_name, touch.agency_name, touch.campaign_id)
    return Firing(event, attribution.number, source, claim)


def compare(device: Timeline, dice: random.Random, length: int) -> None:
    reference = Reference(device.app, dict(device.lookbacks.by_name), device.hold_limit, ASKERS)
    for entry in histories.history(dice, device, length):
        device.read(entry)
        reference.read(entry)
    device.read_past(FOR_EVER)
    reference.progress(entry.appended + FOR_EVER)
    assert [told_by_fold(fact) for fact in device.facts] == reference.told


@pytest.mark.parametrize("part", range(20))
def test_the_fold_says_what_the_reference_says(part: int) -> None:
    for seed in range(part * 100, part * 100 + 100):
        dice = random.Random(seed)
        compare(histories.timeline(dice), dice, 17)


@pytest.mark.parametrize("part", range(5))
def test_also_of_long_histories_of_mobile_devices(part: int) -> None:
    for seed in range(part * 20, part * 20 + 20):
        dice = random.Random(-1 - seed)
        device = Timeline(hold_limit=dice.choice((3, 1000)), dedup_window=dice.choice((3, 60)) * HOUR)
        compare(device, dice, 100)


def test_the_histories_meet_every_case() -> None:
    seen = set()
    for seed in range(300):
        dice = random.Random(seed)
        device = histories.timeline(dice)
        for entry in histories.history(dice, device, 17):
            device.read(entry)
        for fact in device.facts:
            seen |= {fact.result, f"late {fact.late}"}
            seen |= {f"{one.event} {one.claim}" for one in fact.derived}
    assert seen >= {"processed", "held", "duplicate", "too_late", "reinstall", "late True", "late False"}
    assert seen >= {"install False", "install True", "re_install False", "re_install True", "re_engagement False"}
