"""One raw Kafka value becomes an install, an event, or a refusal that says why. Pure; never raises.

What the contract leaves open is settled here: JSON null and the empty text are *absent*; of a key given twice the last
holds; fields outside the vocabulary move into `params`, where an explicit entry of the same name wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from schemas.config import Source
from schemas.record import Event, Install
from streams.sources import mapping

#: Parameters nested deeper than this would be refused by an encoder further down the road.
MAX_DEPTH = 32
#: Whole numbers outside of this are JSON, but fit no other wire format.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1

#: msgspec's names of types in plain words.
WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
TYPES: dict[type, str] = {str: "str", int: "int", float: "float", bool: "bool", list: "array", type(None): "null"}
CHOICES = {"touch_type": "click or impression", "event_name": "install, or no event_name, in a source of installs"}

EXPECTED = re.compile(r"Expected `(?P<expected>.+?)`, got `(?P<found>.+?)`(?: - at `\$\.?(?P<field>.*)`)?")
MISSING = re.compile(r"Object missing required field `(?P<field>.+?)`")
CHOICE = re.compile(r"Invalid enum value (?P<found>.+) - at `\$\.(?P<field>.*)`", re.DOTALL)
RANGE = re.compile(r"(?:Number|Integer value) out of range(?: - at `\$\.?(?P<field>.*)`)?")


class Rejected(NamedTuple):
    """A value that is no record: a key of `schemas.dead_letter.REASONS`, and the field with what was expected of it."""

    reason: str
    detail: str


class _Refused(Exception):
    """Carries a `Rejected` out of the steps of a decoding."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.rejected = Rejected(reason, detail)


class Decoder:
    """Decodes the values of one source. Raises ValueError for a mapping of a field that the contract does not have."""

    def __init__(self, source: Source, max_record_bytes: int) -> None:
        self._kind: type[Install | Event] = Install if source.record == "install" else Event
        self._fields = frozenset(self._kind.__struct_fields__)
        if unknown := sorted(set(source.mapping) - self._fields):
            raise ValueError(f"mapping: {', '.join(unknown)}: no such field in the records of {source.topic}")
        self._mapping = dict(source.mapping)
        self._max_bytes = max_record_bytes
        self._typed = msgspec.json.Decoder(self._kind)
        self._untyped = msgspec.json.Decoder()

    def decode(self, value: bytes | None) -> Install | Event | Rejected:
        """The record, or why there is none. One pass at C speed, unless it is bad or has unknown fields."""
        if value is None:
            return Rejected("null", "the value is null: expected a JSON object")
        if len(value) > self._max_bytes:
            return Rejected("too_large", f"the value has {len(value):,} bytes: expected at most {self._max_bytes:,}")
        try:
            record = self._general(value) if self._mapping else self._fast(value)
            self._check(record)
        except _Refused as refusal:
            return refusal.rejected
        except msgspec.ValidationError as error:
            return Rejected("invalid", self._explain(str(error)))
        except UnicodeDecodeError:
            return Rejected("undecodable", "the value is not UTF-8")
        except RecursionError:
            return Rejected("undecodable", f"the value is nested too deeply: expected at most {MAX_DEPTH} levels")
        except msgspec.DecodeError as error:
            return Rejected("undecodable", f"not JSON: {error}")
        return record

    def _fast(self, value: bytes) -> Install | Event:
        try:
            record = self._typed.decode(value)
        except msgspec.ValidationError:
            # Fields of the user's own, an empty text for a choice, or a real error: the general way tells them apart.
            return self._general(value)
        # An empty text cannot be in a record whose bytes have no two quotes in a row.
        return _without_empty(record) if b'""' in value else record

    def _general(self, value: bytes) -> Install | Event:
        """By way of a dict: mapped fields are fetched, unknown ones moved into `params`, absent ones dropped."""
        written = self._untyped.decode(value)
        if not isinstance(written, dict):
            raise _Refused("undecodable", f"expected a JSON object, found {_word(written)}")
        known, left = mapping.split(written, self._mapping, self._fields)
        known = {name: field for name, field in known.items() if field is not None and field != ""}
        left = {name: field for name, field in left.items() if field is not None}
        params = known.get("params", {})
        if left and isinstance(params, dict):
            known["params"] = {**left, **params}
        return msgspec.convert(known, self._kind)

    def _check(self, record: Install | Event) -> None:
        """What the types do not say. Raises `_Refused`."""
        if not record.app_id:
            raise _Refused("invalid", "app_id: required, and absent or empty")
        if isinstance(record, Event):
            if not record.event_name:
                raise _Refused("invalid", "event_name: required, and absent or empty")
            if record.event_name == "install":
                raise _Refused(
                    "invalid", "event_name: install in a source of events; write installs to one of `record: install`"
                )
            own = record.event_timestamp
        else:
            own = record.install_timestamp
        if type(own) is int and not MIN_INTEGER <= own <= MAX_INTEGER:
            raise _Refused("invalid", "the record's own time: expected a time, found a number of more than 64 bits")
        touch = record.click_timestamp
        if type(touch) is int and not MIN_INTEGER <= touch <= MAX_INTEGER:
            raise _Refused("invalid", "click_timestamp: expected a time, found a number of more than 64 bits")
        if record.params:
            _check_values("params", record.params.values(), MAX_DEPTH)

    def _explain(self, message: str) -> str:
        """msgspec's message as `field: expected …, found …`; names the mapped place where the field came from one."""
        for pattern in (EXPECTED, MISSING, CHOICE, RANGE):
            if match := pattern.match(message):
                break
        else:
            return message
        field = match["field"] or "the value"
        place = f"{field} (from {self._mapping[field]})" if field in self._mapping else field
        if pattern is EXPECTED:
            expected = " or ".join(WORDS.get(kind, kind) for kind in match["expected"].split(" | ") if kind != "null")
            return f"{place}: expected {expected}, found {WORDS.get(match['found'], match['found'])}"
        if pattern is MISSING:
            return f"{place}: required, and absent or empty"
        if pattern is CHOICE:
            return f"{place}: expected {CHOICES.get(field, 'another value')}, found {match['found'][:80]}"
        # The dict has no names of fields yet when a number in it is refused.
        return f"{place.replace('[...]', 'a field')}: a number that is out of range"


def _without_empty(record: Install | Event) -> Install | Event:
    """The record with its empty texts absent. The required ones stay, to be refused by name."""
    for name in record.__struct_fields__:
        if getattr(record, name) == "" and name not in ("app_id", "event_name"):
            setattr(record, name, None)
    if isinstance(record, Install) and not record.event_name:
        record.event_name = None
    return record


def _check_values(path: str, values: Iterable[Any], depth: int) -> None:
    """Refuse numbers and depths that JSON can write but nothing after it. Raises `_Refused`."""
    for value in values:
        kind = type(value)
        if kind is int:
            if not MIN_INTEGER <= value <= MAX_INTEGER:
                raise _Refused("invalid", f"{path}: a number of more than 64 bits; write it as text")
        elif kind is dict or kind is list:
            if depth == 1:
                raise _Refused("invalid", f"{path}: nested too deeply, expected at most {MAX_DEPTH} levels")
            _check_values(path, value.values() if kind is dict else value, depth - 1)


def _word(value: object) -> str:
    return WORDS[TYPES.get(type(value), "object")]
