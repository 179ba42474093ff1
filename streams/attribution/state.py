"""What is remembered of a device (design §2, State), and how it is stored.

The stored form is one version byte and a msgpack array. Fields are never reordered or removed within a version; new
ones go to the end of a struct, with a default. What version 1 has stored is read too.
"""

from __future__ import annotations

import enum

import msgspec

from schemas.touch import Touch

from .marks import SEEN_WIDTH, WIDTH, Seen, place

#: How many attributions are kept besides the first, see `keep_bounded`.
KEPT = 16

VERSION = 2


class Reason(enum.IntEnum):
    """What started an attribution. The numbers are stored."""

    INSTALL = 1
    FIRST_RECORD = 2
    RE_INSTALL = 3
    RE_ENGAGEMENT = 4
    VISIT = 5


class Attribution(msgspec.Struct, array_like=True, gc=False):
    """A period of a device and the source it belongs to, from `start` (own time) to the start of the next one.

    `touch` None is organic; `assumed` then means that no install has been seen. `firsts` are the bits
    (`events.Row.bit`) of the families whose first since this attribution is used, `names` the same of custom events:
    bit 0 of the first byte is the first of the device's `names`. `sessions` are the 24-hour periods from `start` (1:
    the second one) that have had their session, as far back as a record can still come. A claim puts another
    attribution in its place: one that was handed out keeps its source.
    """

    number: int
    start: int
    reason: Reason
    touch: Touch | None
    assumed: bool = False
    firsts: int = 0
    names: bytes = b""
    sessions: list[int] = []

    @property
    def is_organic(self) -> bool:
        """Whether nobody brought the user."""
        return self.touch is None

    @property
    def is_reattribution(self) -> bool:
        """Whether it is not the device's first."""
        return self.number > 1

    def marks(self, device: Device) -> bytes:
        """The marks of the custom events whose first since this attribution is used."""
        used = int.from_bytes(self.names, "little")
        places = range(used.bit_length())
        return b"".join(device.names[at * WIDTH : (at + 1) * WIDTH] for at in places if used >> at & 1)


class Held(msgspec.Struct, array_like=True, gc=False):
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


class Device(msgspec.Struct, array_like=True, gc=False):
    """The state of a device within its app. It is *known* once it has an attribution.

    `attributions` are in order of their numbers; the first one is number 1. `clock` is what inactivity is measured
    from, `newest` the newest own time of a processed record; both are only meaningful once the device is known.
    `installed_at` is the own time of the install that fired (None: none has). `firsts` and `names` are the uses of
    lifetime firsts: bits, and marks of custom events. `seen` are the marks of the records read, with their times.
    `held` is in order of arrival, `held_since` the smallest append time in it. Of what happened before `forgotten`
    marks may be gone: nothing older is processed, also when the dedup window has grown since. `appended_s` is the
    append time of the newest record that is neither a duplicate nor too late, in seconds, rounded up (0: a state from
    before it was written down); see `forgetting`.
    """

    attributions: list[Attribution] = []
    clock: int = 0
    newest: int = 0
    installed_at: int | None = None
    firsts: int = 0
    names: bytes = b""
    seen: list[Seen] = []
    held: list[Held] = []
    held_since: int | None = None
    forgotten: int = 0
    appended_s: int = 0


def keep_bounded(attributions: list[Attribution], over: int) -> None:
    """Forget one when there are more than `KEPT` besides the first.

    Sessions count from the latest start of each source. So it is the oldest that is no such start (organic, or of a
    source that occurs again later) and was over by the time `over`: no late record and no claim can belong to it any
    more. Only when there is none, it is the oldest of all. Neither the first nor the current one goes.
    """
    if len(attributions) <= KEPT + 1:
        return
    found = 1
    later = {_source(attributions[-1])}
    for at in range(len(attributions) - 2, 0, -1):
        source = _source(attributions[at])
        if (source is None or source in later) and attributions[at + 1].start <= over:
            found = at
        later.add(source)
    del attributions[found]


def _source(attribution: Attribution) -> tuple[str | None, str | None] | None:
    touch = attribution.touch
    return None if touch is None else (touch.publisher_name, touch.agency_name)


class UnknownVersionError(ValueError):
    """A stored state is of a version that this program does not know: it was written by a newer one."""

    def __init__(self, version: int | None, readable: int = VERSION) -> None:
        found = "empty" if version is None else f"of version {version}"
        super().__init__(f"stored state is {found}; this program reads version {readable}: run a newer one")
        self.version = version


_VERSION_BYTE = bytes((VERSION,))
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Device)


def encode(device: Device) -> bytes:
    """The stored form."""
    return _VERSION_BYTE + _encoder.encode(device)


def decode(stored: bytes) -> Device:
    """The device of a stored form. Raises `UnknownVersionError`, and `msgspec.DecodeError` when it is damaged."""
    if stored[:1] == _VERSION_BYTE:
        return _decoder.decode(stored[1:])
    if stored[:1] == b"\x01":
        return _decoder_1.decode(stored[1:]).renewed()
    raise UnknownVersionError(stored[0] if stored else None)


class _Attribution1(msgspec.Struct, array_like=True):
    """Version 1: `names` has the marks themselves."""

    number: int
    start: int
    reason: Reason
    touch: Touch | None
    assumed: bool = False
    firsts: int = 0
    names: bytes = b""
    sessions: list[int] = []

    def renewed(self, names: bytes) -> Attribution:
        places = [place(names, self.names[at : at + WIDTH]) for at in range(0, len(self.names), WIDTH)]
        used = sum(1 << at for at in places if at >= 0)
        kept = used.to_bytes((used.bit_length() + 7) // 8, "little")
        return Attribution(
            self.number, self.start, self.reason, self.touch, self.assumed, self.firsts, kept, self.sessions
        )


class _Device1(msgspec.Struct, array_like=True):
    """Version 1: in `seen` every mark of 8 bytes has its minute behind it, in 4."""

    attributions: list[_Attribution1] = []
    clock: int = 0
    newest: int = 0
    installed_at: int | None = None
    firsts: int = 0
    names: bytes = b""
    seen: bytes = b""
    held: list[Held] = []
    held_since: int | None = None
    forgotten: int = 0

    def renewed(self) -> Device:
        bundles: list[Seen] = []
        for at in range(0, len(self.seen), WIDTH + 4):
            short = self.seen[at : at + SEEN_WIDTH]
            bundles.append(Seen(int.from_bytes(self.seen[at + WIDTH : at + WIDTH + 4], "big"), short))
        return Device(
            [one.renewed(self.names) for one in self.attributions],
            self.clock,
            self.newest,
            self.installed_at,
            self.firsts,
            self.names,
            bundles,
            self.held,
            self.held_since,
            self.forgotten,
        )


_decoder_1 = msgspec.msgpack.Decoder(_Device1)
