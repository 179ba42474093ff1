"""A device that has had its firsts takes a short way to what fires: it gives what the long way gives."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.attribution.events import RESERVED
from streams.attribution.facts import Derived
from streams.attribution.firing import Plan, befall, fire, plan_of
from streams.attribution.marks import mark
from streams.attribution.state import Attribution, Device, Reason

NAMES = (*sorted(RESERVED), "coins", "gems", "level_up")


def device(firsts: tuple[int, int, int], names: int, used: tuple[bytes, bytes]) -> Device:
    """One with two attributions; it knows some of the custom names."""
    known = b"".join(mark(name) for name in ("coins", "gems", "level_up")[:names])
    first = Attribution(1, 0, Reason.INSTALL, None, firsts=firsts[1], names=used[0])
    second = Attribution(2, 10, Reason.RE_ENGAGEMENT, None, firsts=firsts[2], names=used[1])
    return Device([first, second], firsts=firsts[0], names=known)


def fired(plan: Plan, of: Device, period: int, claim: bool) -> tuple[list[Derived], Device]:
    """What fires, and the device after it."""
    derived: list[Derived] = []
    fire(plan, of, of.attributions[period], derived, claim)
    return derived, of


@given(
    name=st.sampled_from(NAMES),
    platform=st.sampled_from(("android", "web")),
    firsts=st.tuples(*[st.integers(0, 15)] * 3),
    names=st.integers(0, 3),
    used=st.tuples(*[st.sampled_from((b"", b"\x01", b"\x02", b"\x03", b"\x07"))] * 2),
    period=st.integers(0, 1),
    claim=st.booleans(),
)
def test_the_short_way_gives_what_the_long_way_gives(
    name: str,
    platform: str,
    firsts: tuple[int, int, int],
    names: int,
    used: tuple[bytes, bytes],
    period: int,
    claim: bool,
) -> None:
    plan = plan_of(name, platform)
    long = msgspec.structs.replace(plan, mask=0, by_name=False)
    short = fired(plan, device(firsts, names, used), period, claim)
    assert short == fired(long, device(firsts, names, used), period, claim)


@pytest.mark.parametrize("family", ["install", "re_install", "re_engagement"])
def test_what_befalls_a_device_fires_whatever_it_has_had(family: str) -> None:
    derived, _ = fired(befall(family, "android"), device((15, 15, 15), 3, (b"\x07", b"\x07")), 1, claim=False)
    assert [one.event for one in derived] == [family]
