"""The records of a file that a person wrote: one JSON object, a list of them, or one in each line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.config import Source
from schemas.record import Event, Install
from streams.sources.decode import Decoder, Rejected

BOM = b"\xef\xbb\xbf"


class Found(NamedTuple):
    """A record and which of the file's it is, from 1; or why it is none."""

    number: int
    record: Install | Event | Rejected


def split(text: bytes) -> list[bytes]:
    """Each record's JSON. Where it is no JSON as a whole, each line stands for a record."""
    text = text.removeprefix(BOM).strip()
    try:
        whole = msgspec.json.decode(text, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return [line for line in map(bytes.strip, text.splitlines()) if line]
    if not text.startswith(b"["):
        return [bytes(whole)]
    return [bytes(one) for one in msgspec.json.decode(text, type=list[msgspec.Raw])]


class Reader:
    """Decodes records as the sources that would carry them do. Raises ValueError for a mapping of no field."""

    def __init__(self, sources: Sequence[Source], max_bytes: int) -> None:
        self._decoders = [(source, Decoder(source, max_bytes)) for source in sources]

    def read(self, text: bytes) -> Iterator[Found]:
        """The records of a file, in its order. Bad ones are told, and the others follow all the same."""
        for number, value in enumerate(split(text), 1):
            yield Found(number, self._decode(value))

    def _decode(self, value: bytes) -> Install | Event | Rejected:
        written = _object(value)
        fitting = [decoder for source, decoder in self._decoders if _fits(source, written)]
        if not fitting:
            return Rejected("invalid", "no source of the configuration takes such a record")
        # Several sources may take it: the one that reads it is its own.
        answers = [decoder.decode(value) for decoder in fitting]
        return next((answer for answer in answers if not isinstance(answer, Rejected)), answers[0])


def _object(value: bytes) -> dict[str, Any]:
    try:
        written = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return written if isinstance(written, dict) else {}


def _fits(source: Source, written: dict[str, Any]) -> bool:
    """Installs are those that say so, or that say nothing of what happened."""
    place: Any = written
    for step in source.mapping.get("event_name", "event_name").split("."):
        place = place.get(step) if isinstance(place, dict) else None
    return (place in (None, "", "install")) == (source.record == "install")
