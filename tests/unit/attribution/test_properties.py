"""Faults S8, S9, S10: what holds for every history."""

from __future__ import annotations

import random
from collections import Counter
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.attribution import state
from streams.attribution.entry import Entry
from streams.attribution.facts import Fact
from tests.unit.attribution import histories
from tests.unit.attribution.timeline import DAY, MINUTE, SECOND, START, Timeline, source

dice_of = st.integers(0, 2**32).map(random.Random)


def decided(device: Timeline, entries: list[Entry]) -> list[Fact]:
    """The facts of all records that were not refused, and not those of holding them."""
    for entry in entries:
        device.read(entry)
    device.read_past(10 * histories.APPENDED)
    return [fact for fact in device.facts if fact.result in ("processed", "reinstall")]


@given(dice_of)
def test_s8_duplicates_change_nothing_however_many_and_wherever(dice: random.Random) -> None:
    device = histories.timeline(dice)
    entries = histories.history(dice, device, 20, repeats=0)
    repeated = list(entries)
    for _ in range(dice.randrange(30)):
        place = dice.randrange(1, len(repeated) + 1)
        before = repeated[place - 1]
        repeated.insert(place, histories.again(dice.choice(repeated[:place]), before.appended - START, device))
    other = Timeline(device.app.platform, hold_limit=device.hold_limit)
    other.app = device.app
    assert decided(other, repeated) == decided(device, entries)
    assert (other.known.attributions, other.known.clock) == (device.known.attributions, device.known.clock)


@given(dice_of)
def test_s10_no_window_moves_backwards(dice: random.Random) -> None:
    device = histories.timeline(dice)
    clock = newest = number = -(2**63)
    for entry in histories.history(dice, device, 30):
        device.read(entry)
        known = device.known
        if not known.attributions:
            continue
        assert known.clock >= clock
        assert known.newest >= newest
        assert known.attributions[-1].number >= number
        clock, newest, number = known.clock, known.newest, known.attributions[-1].number
        assert known.newest >= known.clock
        starts = [one.start for one in known.attributions]
        assert starts == sorted(starts)
        numbers = [one.number for one in known.attributions]
        assert numbers == sorted(set(numbers))
        assert numbers[0] == 1


@given(dice_of)
def test_every_state_survives_being_stored(dice: random.Random) -> None:
    device = histories.timeline(dice)
    for entry in histories.history(dice, device, 30):
        device.read(entry)
        assert state.decode(state.encode(device.known)) == device.known


@given(dice_of)
def test_every_record_is_decided_exactly_once(dice: random.Random) -> None:
    device = histories.timeline(dice)
    entries = histories.history(dice, device, 30)
    decided(device, entries)
    results = Counter((fact.entry.kind, fact.entry.id) for fact in device.facts if fact.result != "held")
    assert results == Counter((entry.kind, entry.id) for entry in entries)


# S9: bursts of records within seconds, days apart. The install of a burst may be read at any point between its events.
# Those come in their own order: they are of one topic, and a late activity does not move the clock (S10).

GAPS = (1.1, 5.3, 28.7, 31.2, 40.0)
NAMES = ("launch", "payment", "registration", "custom_payment", "coins")
SOURCES = (None, "acme", "globex")


class Burst(NamedTuple):
    """Days since the burst before; its events: name, second, source; its install, if any: second, source."""

    gap: float
    events: list[tuple[str, int, str | None]]
    install: tuple[int, str | None] | None


seconds, sources = st.integers(0, 20), st.sampled_from(SOURCES)
events = st.lists(st.tuples(st.sampled_from(NAMES), seconds, sources), max_size=5)
bursts = st.lists(
    st.builds(Burst, st.sampled_from(GAPS), events, st.none() | st.tuples(seconds, sources)), min_size=1, max_size=5
)


def burst_entries(device: Timeline, bursts: list[Burst]) -> list[list[Entry]]:
    start, out = 0, []
    # An install that comes later than the grace is a claim, and a claim holds from then on: that is another story.
    installs = bursts[0][2] is not None
    for gap, events, install in bursts:
        start += int(gap * DAY)
        entries = [device.entry("event", name, start + at * SECOND, by, {}) for name, at, by in events]
        if install is not None and installs:
            entries.append(device.entry("install", "install", start + install[0] * SECOND, install[1], {}))
        out.append(entries)
    return out


def derived_of(bursts: list[list[Entry]], dice: random.Random | None) -> Counter[tuple[str, int, str]]:
    """What is derived when the install of each burst is read at its own time, or anywhere."""
    device = Timeline()
    for entries in bursts:
        in_order = sorted(entries, key=lambda entry: (entry.at, entry.kind == "event"))
        appended = max((entry.at for entry in entries), default=0)
        if dice is not None:
            installs = [entry for entry in in_order if entry.kind == "install"]
            in_order = [entry for entry in in_order if entry.kind == "event"]
            for install in installs:
                in_order.insert(dice.randrange(len(in_order) + 1), install)
        for number, entry in enumerate(in_order):
            device.read(_appended(entry, appended + number))
        device.read_past(appended - START + 2 * MINUTE)
    return Counter((one.event, one.attribution.number, source(one)) for fact in device.facts for one in fact.derived)


def _appended(entry: Entry, appended: int) -> Entry:
    return Entry(
        entry.record,
        entry.kind,
        entry.id,
        entry.name,
        entry.at,
        appended,
        entry.device_key,
        entry.device_id,
        entry.clicked,
    )


@settings(max_examples=300)
@given(bursts, dice_of)
def test_s9_any_interleaving_inside_the_grace_gives_the_same_derived_events(
    bursts: list[Burst], dice: random.Random
) -> None:
    entries = burst_entries(Timeline(), bursts)
    assert derived_of(entries, dice) == derived_of(entries, None)
