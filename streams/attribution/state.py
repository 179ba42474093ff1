"""What is remembered of a device (design §2, State), and how it is stored.

The stored form is one version byte and a msgpack array. Fields are never reordered or removed within a version; new
ones go to the end of a struct, with a default.
"""

from __future__ import annotations

import enum

import msgspec

from .touches import Touch

#: How many of the newest attributions are kept, besides the first.
KEPT = 16

VERSION = 1


class Reason(enum.IntEnum):
    """What started an attribution. The numbers are stored."""

    INSTALL = 1
    FIRST_RECORD = 2
    RE_INSTALL = 3
    RE_ENGAGEMENT = 4
    VISIT = 5


class Attribution(msgspec.Struct, array_like=True):
    """A period of a device and the source it belongs to, from `start` (own time) to the start of the next one.

    `touch` None is organic; `assumed` then means that no install has been seen. `firsts` are the bits
    (`events.Row.bit`) and `names` the marks of the custom events whose first since this attribution is used. A claim
    puts another attribution in its place: one that was handed out keeps its source.
    """

    number: int
    start: int
    reason: Reason
    touch: Touch | None
    assumed: bool = False
    firsts: int = 0
    names: bytes = b""

    @property
    def is_organic(self) -> bool:
        """Whether nobody brought the user."""
        return self.touch is None

    @property
    def is_reattribution(self) -> bool:
        """Whether it is not the device's first."""
        return self.number > 1


class Held(msgspec.Struct, array_like=True):
    """An event that waits for an install that may still come: what is needed to make its entry again.

    `record` is the `schemas.record.Event` as JSON: a record may hold what msgpack cannot (integers of any size), and
    is not looked at before its release.
    """

    record: bytes
    id: str
    name: str
    at: int
    appended: int
    device_id: str
    clicked: int | None


class Device(msgspec.Struct, array_like=True):
    """The state of a device within its app. It is *known* once it has an attribution.

    `attributions` are in order of their numbers; the first one is number 1. `clock` is what inactivity is measured
    from, `newest` the newest own time of a processed record; both are only meaningful once the device is known.
    `installed_at` is the own time of the install that fired (None: none has). `firsts` and `names` are the uses of
    lifetime firsts. `seen` are the marks of the records read, with their times. `held` is in order of arrival,
    `held_since` the smallest append time in it. Of what happened before `forgotten` marks may be gone: nothing older is
    processed, also when the dedup window has grown since.
    """

    attributions: list[Attribution] = []
    clock: int = 0
    newest: int = 0
    installed_at: int | None = None
    firsts: int = 0
    names: bytes = b""
    seen: bytes = b""
    held: list[Held] = []
    held_since: int | None = None
    forgotten: int = 0


class UnknownVersionError(ValueError):
    """A stored state is of a version that this program does not know: it was written by a newer one."""

    def __init__(self, version: int | None) -> None:
        found = "empty" if version is None else f"of version {version}"
        super().__init__(f"stored device state is {found}; this program reads version {VERSION}: run a newer one")
        self.version = version


_VERSION_BYTE = bytes((VERSION,))
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Device)


def encode(device: Device) -> bytes:
    """The stored form."""
    return _VERSION_BYTE + _encoder.encode(device)


def decode(stored: bytes) -> Device:
    """The device of a stored form. Raises `UnknownVersionError`, and `msgspec.DecodeError` when it is damaged."""
    if stored[:1] != _VERSION_BYTE:
        raise UnknownVersionError(stored[0] if stored else None)
    return _decoder.decode(memoryview(stored)[1:])
