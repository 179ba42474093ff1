"""The records of pauses and holds."""

from __future__ import annotations

import pytest

from schemas.control import Control, Entry, Part, Records, Target, Unreadable, decode, encode


@pytest.mark.parametrize("part", ["pause", "hold"])
@pytest.mark.parametrize("name", ["a/b ü", "hold/x", "partner/y"])
@pytest.mark.parametrize("control", [Control(paused=True, reason="410"), Control(hold_until=5), Control(), None])
def test_what_is_encoded_is_read_again(control: Control | None, name: str, part: Part) -> None:
    target = Target("postback", name)
    assert decode(*encode(target, control, part)) == Entry(target, part, control)


def test_a_pause_and_a_hold_stand_beside_each_other() -> None:
    target, other = Target("partner", "acme"), Target("postback", "acme")
    pause, hold = Control(paused=True, reason="a sale", since=5), Control(hold_until=9, reason="Retry-After", since=7)
    records = Records()
    records.take(decode(*encode(target, pause)))
    records.take(decode(*encode(target, hold, "hold")))
    assert records.of(target) == Control(paused=True, hold_until=9, reason="a sale", since=5)
    assert records.of(other) is None
    records.take(decode(*encode(target, None)))
    assert records.of(target) == hold
    records.take(decode(*encode(target, None, "hold")))
    assert (records.of(target), records.targets()) == (None, [])


def test_a_hold_in_a_record_of_a_pause_counts_too() -> None:
    target = Target("partner", "acme")
    records = Records()
    records.take(Entry(target, "pause", Control(hold_until=20, reason="by hand")))
    records.take(Entry(target, "hold", Control(hold_until=9, reason="Retry-After")))
    assert records.of(target) == Control(hold_until=20, reason="Retry-After")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"{}"), (b"", b"{}"), (b"partner", b"{}"), (b"partner/", b"{}"), (b"app/x", b"{}"), (b"\xff/x", b"{}"),
        (b"partner/x", b""), (b"partner/x", b"[]"), (b"partner/x", b'{"paused": 1}'), (b"partner/x", b"\xff"),
        (b"partner/x", b'{"hold_until": "soon"}'), (b"hold/", b"{}"), (b"hold/x", b"{}"), (b"hold/partner/", b"{}"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(key: bytes | None, value: bytes) -> None:
    with pytest.raises(Unreadable):
        decode(key, value)


def test_of_two_holds_the_longer_one_stands_whichever_was_written_last() -> None:
    target, records = Target("partner", "acme"), Records()
    for until in (120_000, 10_000, 50_000):
        records.take(Entry(target, "hold", Control(hold_until=until)))
    assert records.of(target) == Control(hold_until=120_000)
    records.take(Entry(target, "hold", None))
    records.take(Entry(target, "hold", Control(hold_until=10_000)))
    assert records.of(target) == Control(hold_until=10_000), "what was let go does not come back"
