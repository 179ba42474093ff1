"""The stored form of a device."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.attribution import marks, state
from tests.benchmarks import states
from tests.unit.attribution.timeline import DAY, HOUR, MINUTE, Timeline


def test_a_device_is_the_same_after_it_was_stored() -> None:
    device = Timeline(install_grace=DAY)
    device.install(0, "acme", cost=0.25, click_id="ü" * 50)
    device.event("coins", 1)
    device.event("payment", 40 * DAY, "globex", params={"a": [1, None, "x"]}, revenue=0.1)
    assert state.decode(state.encode(device.known)) == device.known
    assert device.known.held


def test_an_empty_device_is_the_same_after_it_was_stored() -> None:
    assert state.decode(state.encode(state.Device())) == state.Device()


@given(
    st.builds(
        state.Attribution,
        st.just(1),
        st.integers(-(2**63), 2**63 - 1),
        st.sampled_from(state.Reason),
        st.none(),
        st.booleans(),
        st.integers(0, 15),
        st.binary(),
        st.lists(st.integers(0, 2**40), max_size=5),
    )
)
def test_every_attribution_survives(attribution: state.Attribution) -> None:
    device = state.Device([attribution])
    assert state.decode(state.encode(device)) == device


@pytest.mark.parametrize("stored", [b"", b"\x00", b"\x03\x99", b"\x93"])
def test_an_unknown_version_is_refused(stored: bytes) -> None:
    with pytest.raises(state.UnknownVersionError, match="reads version 2") as caught:
        state.decode(stored)
    assert caught.value.version == (stored[0] if stored else None)


def test_damage_is_an_error() -> None:
    stored = state.encode(state.Device())
    for damaged in (stored[:-1], stored[:1], stored[:1] + b"\xc1"):
        with pytest.raises(msgspec.DecodeError):
            state.decode(damaged)


def stored_device() -> Timeline:
    device = Timeline()
    device.install(0, "acme", cost=0.5)
    device.event("payment", HOUR)
    device.event("coins", HOUR)
    device.event("launch", 31 * DAY, "globex")
    device.read_past(32 * DAY)
    device.event("gems", 31 * DAY + HOUR)
    return device


def test_a_state_stored_by_an_earlier_build_of_this_version_can_be_read() -> None:
    """Golden: if this fails, the stored form has changed in a way that needs a new version."""
    assert state.decode(bytes.fromhex(GOLDEN_2_WITH_APPENDED)) == stored_device().known
    earlier = state.decode(bytes.fromhex(GOLDEN_2))
    assert earlier.appended_s == 0
    assert msgspec.structs.replace(earlier, appended_s=stored_device().known.appended_s) == stored_device().known


def test_what_is_stored_now_is_what_was_stored_before() -> None:
    assert state.encode(stored_device().known).hex() == GOLDEN_2_WITH_APPENDED


def test_a_state_stored_by_version_1_can_be_read_and_means_the_same() -> None:
    device = Timeline()
    device.install(0, "acme", cost=0.5)
    device.event("payment", HOUR)
    device.event("coins", HOUR)
    renewed = state.decode(bytes.fromhex(GOLDEN_1))
    for entry in [fact.entry for fact in device.facts]:
        assert marks.has_seen(renewed.seen, marks.mark(entry.kind + entry.id))
    assert marks.count_seen(renewed.seen) == 3
    renewed.seen = device.known.seen
    renewed.appended_s = device.known.appended_s
    assert renewed == device.known
    device.device = state.decode(bytes.fromhex(GOLDEN_1))
    assert device.event("coins", HOUR + 1) == ["event:coins #1 acme", "event_ca:coins #1 acme"]


def test_an_attribution_knows_the_custom_events_whose_first_is_used() -> None:
    known = stored_device().known
    assert [one.marks(known) for one in known.attributions] == [marks.mark("coins"), marks.mark("gems")]


GOLDEN_1 = (
    "0199919701cf0000019b76daa80001dc0014a461636d65c0c0c0c0cf0000019b76daa800c0c0c0c0c0c0c0c0c0c0c0c0c0cb"
    "3fe0000000000000c201c4087c262d2e80667666cf0000019b77119680cf0000019b77119680cf0000019b76daa80001c408"
    "7c262d2e80667666c424e9fce4e132205b3601c16dc0b85b0b268312a06501c16dfcf95e92fa7718e71d01c16dfc90c0"
)
GOLDEN_2 = (
    "029a929801cf0000019b76daa80001dc0014a461636d65c0c0c0c0cf0000019b76daa800c0c0c0c0c0c0c0c0c0c0c0c0c0cb"
    "3fe0000000000000c201c40101911f9802cf0000019c167fcc0004dc0014a6676c6f626578c0c0c0c0cf0000019c167fcc00"
    "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c200c4010290cf0000019c167fcc00cf0000019c16b6ba80cf0000019b76daa80001c410"
    "7c262d2e80667666af2f171bfa9cefed9192ce01c21c5cc40c20c6eee9c34c22a9c9a963a990c0cf0000019c0c331400"
)

#: The same with the append time of the newest record at its end.
GOLDEN_2_WITH_APPENDED = GOLDEN_2.replace("029a", "029b", 1) + "ce697ea590"


def heavy_device(seed: int) -> int:
    """Bytes of a device after a busy year: 40 names of events, many a day, some quiet months, installs and touches."""
    dice = random.Random(seed)
    device = Timeline(install_grace=0)
    device.install(0, "acme_ads", campaign_name="brand", campaign_id="123456789", click_id="c" * 32, cost=1.25)
    now = 0
    while now < 365 * DAY:
        now += 33 * DAY if dice.random() < 0.003 else int(dice.expovariate(1 / (2 * HOUR)))
        touch = "globex" if dice.random() < 0.05 else None
        device.event(
            dice.choice(["launch", "payment", *(f"event_{n}" for n in range(20))]), now, touch, click_id="c" * 32
        )
    return len(state.encode(device.known))


def test_the_state_of_a_busy_device_stays_small() -> None:
    assert max(heavy_device(seed) for seed in range(3)) <= 900


def test_the_state_after_a_realistic_year_has_at_most_a_kibibyte_for_99_in_100_devices() -> None:
    """`python -m tests.benchmarks.states` says what is assumed, and measures more devices."""
    assert states.quantiles(states.measure(100).end)["p99"] <= states.GOAL


# The sets in bytes


@given(
    st.lists(st.integers(0, 255).map(lambda n: bytes([n]) * 4 + bytes([255 - n]) * 4), max_size=20),
    st.binary(min_size=8, max_size=8),
)
def test_a_mark_is_found_only_where_one_stands(stored: list[bytes], wanted: bytes) -> None:
    joined = b"".join(stored)
    assert marks.place(joined, wanted) == (stored.index(wanted) if wanted in stored else -1)
    for one in stored:
        assert marks.place(joined, one) == stored.index(one)
    shifted = joined[3:11]
    if len(shifted) == 8:
        assert (marks.place(joined, shifted) >= 0) == (shifted in stored)


@given(st.lists(st.integers(0, 10 * DAY), min_size=1, max_size=60), st.integers(1, 3 * DAY))
def test_a_mark_is_kept_for_as_long_as_its_record_is_not_too_late(times: list[int], window: int) -> None:
    newest, kept = 0, dict[bytes, int]()
    seen: list[marks.Seen] = []
    for number, at in enumerate(times):
        marks.see(seen, marks.mark(str(number)), at, newest - window, window)
        kept[marks.mark(str(number))] = at
        newest = max(newest, at)
        for one, its_time in kept.items():
            assert its_time < newest - window or marks.has_seen(seen, one)
    assert marks.count_seen(seen) <= len(times)


def test_marks_that_are_old_are_dropped() -> None:
    seen: list[marks.Seen] = []
    dropped = [
        marks.see(seen, marks.mark(str(minute)), minute * MINUTE, (minute - 80) * MINUTE, 80 * MINUTE)
        for minute in range(400)
    ]
    assert 81 <= marks.count_seen(seen) <= 91
    assert len(seen) <= 10
    assert (dropped.count(True), dropped[:80].count(True)) == (31, 0)


def test_a_mark_that_nobody_has_seen_is_not_found() -> None:
    seen: list[marks.Seen] = []
    assert not marks.has_seen(seen, marks.mark("a"))
    assert not marks.see(seen, marks.mark("a"), 0, None, DAY)
    assert marks.has_seen(seen, marks.mark("a"))
    assert not marks.has_seen(seen, marks.mark("b"))
