"""What a sender tells the others of a partner: that it is paused, or held. Pure.

A pause and a hold have records of their own in the control topic. So an operator's pause that a sender has not heard of
yet stands, whatever the sender writes about a Retry-After.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from schemas.control import Control, Part, Target, encode

#: A hold shorter than this (ms) is over before other senders would hear of it.
HOLD_TOLD = 5_000
#: A hold that is longer by less (ms) is the same one, heard again from a request that was under way beside the first.
SAME_HOLD = 1_000


class Told(NamedTuple):
    """What is in force from now on, and the records (key, value) that say what of it is new."""

    control: Control
    records: tuple[tuple[bytes, bytes], ...]


def told(known: Control | None, partner: str, pause: bool, until: int, now: int) -> Told:
    """What follows from an answer of the partner that pauses it (410), or holds it until a time (0: it does not)."""
    control, target = known or Control(), Target("partner", partner)
    records: list[tuple[bytes, bytes]] = []

    def write(part: Part, said: Control) -> None:
        key, value = encode(target, said, part)
        records.append((key, value or b""))

    if pause and not control.paused:
        control = msgspec.structs.replace(control, paused=True, reason="410 Gone", since=now)
        write("pause", Control(paused=True, reason="410 Gone", since=now))
    if until > max(now + HOLD_TOLD, (control.hold_until or 0) + SAME_HOLD):
        control = msgspec.structs.replace(control, hold_until=until)
        write("hold", Control(hold_until=until, reason="Retry-After", since=now))
    return Told(control, tuple(records))
