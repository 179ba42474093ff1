"""The kinds of value that a key of the configuration can have.

A kind reads what stands in YAML into what is worked with, writes it back, and says in `doc` what may stand there:
validation, `export` and the reference all use it. It is put on a field of `models` with `Annotated`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas import times
from schemas.record import IDENTIFIERS
from streams.attribution import events
from streams.config.problems import did_you_mean
from streams.settings import duration_text, parse_duration
from streams.templates import references

#: The type of our errors among pydantic's.
WRONG = "wrong"

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def wrong(message: str, hint: str | None = None) -> PydanticCustomError:
    """The error of a value that cannot stand where it stands."""
    return PydanticCustomError(WRONG, "{message}", {"message": message, "hint": hint})


class Kind:
    """What is common to all kinds. `read` raises what `wrong` makes; `write` is its inverse."""

    doc: ClassVar[str]

    def read(self, value: object) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> object:
        return value

    def describe(self) -> str:
        """What may stand there, for people."""
        return self.doc

    def __get_pydantic_core_schema__(self, _source: object, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)


def text_of(value: object, expected: str = "a text") -> str:
    """The value if it is a text. A number is refused: YAML has lost how it was written (leading zeros, digits)."""
    if isinstance(value, str):
        return value
    if value is None:
        raise wrong(f"is empty, expected {expected}", "give it a value or leave the key out")
    if isinstance(value, dict):
        raise wrong(f"expected {expected}, found a mapping", "a text that begins with a brace is written in quotes")
    if isinstance(value, list):
        raise wrong(f"expected {expected}, found a list")
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    raise wrong(f"expected {expected}, found {_kind_word(value)} {shown}", f'write it in quotes: "{shown}"')


def _kind_word(value: object) -> str:
    return "the word" if isinstance(value, bool) else "the number"


@dataclass(frozen=True)
class Text(Kind):
    """One line of text that is not empty."""

    doc = "text"

    maximum: int = 200
    without: str = ""

    def read(self, value: object) -> str:
        text = text_of(value)
        if not text.strip():
            raise wrong("is empty")
        if text != text.strip():
            raise wrong("begins or ends with a space")
        if len(text) > self.maximum:
            raise wrong(f"has {len(text)} characters, at most {self.maximum} are allowed")
        if not text.isprintable():
            raise wrong("holds a character that cannot be printed")
        if found := [character for character in self.without if character in text]:
            raise wrong(f"may not hold {found[0]!r}")
        return text


@dataclass(frozen=True)
class Flag(Kind):
    doc = "`true` or `false`"

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise wrong(f"expected true or false, found {_shown(value)}")
        return value


@dataclass(frozen=True)
class Whole(Kind):
    """A whole number in a range."""

    minimum: int
    maximum: int

    def describe(self) -> str:
        return f"number, {self.minimum} … {self.maximum}"

    def read(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong(f"expected a whole number, found {_shown(value)}")
        if not self.minimum <= value <= self.maximum:
            raise wrong(f"{value} lies outside {self.minimum} … {self.maximum}")
        return value


class Choice(Kind):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def describe(self) -> str:
        return ", ".join(f"`{word}`" for word in self.words)

    def read(self, value: object) -> str:
        text = text_of(value, f"one of {', '.join(self.words)}")
        if text not in self.words:
            raise wrong(f"{_shown(text)} is none of {', '.join(self.words)}", did_you_mean(text, self.words))
        return text


@dataclass(frozen=True)
class Duration(Kind):
    """A number with a unit; milliseconds in code."""

    minimum: str
    maximum: str

    def describe(self) -> str:
        return f"duration, {self.minimum} … {self.maximum}"

    def read(self, value: object) -> int:
        example = "a number with a unit, such as 250ms, 60s, 10m, 24h or 30d"
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value == 0:
                return self._within(0, "0")
            raise wrong(f"expected a duration, found the number {value}", f"write {example}")
        text = text_of(value, "a duration")
        try:
            milliseconds = parse_duration(text[:40])
        except ValueError:
            raise wrong(f"{_shown(text)} is not a duration", f"write {example}") from None
        return self._within(milliseconds, text)

    def _within(self, milliseconds: int, text: str) -> int:
        if not parse_duration(self.minimum) <= milliseconds <= parse_duration(self.maximum):
            raise wrong(f"{text} lies outside {self.minimum} … {self.maximum}")
        return milliseconds

    def write(self, value: int) -> str:
        return duration_text(value)


@dataclass(frozen=True)
class Rate(Kind):
    """Requests in a unit of time; requests per second in code."""

    doc = "requests per `s`, `m`, `h` or `d`, such as `50/s` or `1000/m`"

    _form: ClassVar = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*/\s*(s|m|h|d)", re.ASCII)
    maximum: ClassVar = 1_000_000

    def read(self, value: object) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise wrong(f"expected a rate, found the number {value}", f"write {value}/s")
        text = text_of(value, "a rate such as 50/s")
        match = self._form.fullmatch(text)
        if match is None:
            raise wrong(f"{_shown(text)} is not a rate", "write requests per s, m, h or d, such as 50/s or 1000/m")
        rate = float(match[1]) / UNIT_SECONDS[match[2]]
        if not 1 / UNIT_SECONDS["d"] <= rate <= self.maximum:
            raise wrong(f"{text} lies outside 1/d … {self.maximum}/s")
        return rate

    def write(self, value: float) -> str:
        for unit, seconds in UNIT_SECONDS.items():
            count = round(value * seconds)
            if count and count / seconds == value:
                return f"{count}/{unit}"
        for unit, seconds in UNIT_SECONDS.items():
            written = f"{round(value * seconds, 6):f}"
            if float(written) / seconds == value:
                return f"{written}/{unit}"
        return f"{value:.6f}/s"


@dataclass(frozen=True)
class Statuses(Kind):
    """HTTP statuses; an inclusive range in code."""

    doc = "HTTP status: `404`, `2xx` or `500-599`"

    def read(self, value: object) -> tuple[int, int]:
        text = (
            str(value) if isinstance(value, int) and not isinstance(value, bool) else text_of(value, "an HTTP status")
        )
        if re.fullmatch(r"[1-9]xx", text, re.IGNORECASE):
            low, high = int(text[0]) * 100, int(text[0]) * 100 + 99
        elif match := re.fullmatch(r"(\d{3})(?:\s*-\s*(\d{3}))?", text, re.ASCII):
            low, high = int(match[1]), int(match[2] or match[1])
        else:
            raise wrong(f"{_shown(text)} is not an HTTP status", "write 404, 2xx or 500-599")
        if not 200 <= low <= high <= 999:
            raise wrong(f"{text} is not a range within 200 … 999")
        return low, high

    def write(self, value: tuple[int, int]) -> int | str:
        low, high = value
        if low == high:
            return low
        return f"{low // 100}xx" if low % 100 == 0 and high == low + 99 else f"{low}-{high}"


@dataclass(frozen=True)
class Time(Kind):
    """A moment; milliseconds since 1970 in code."""

    doc = "time: RFC 3339, `YYYY-MM-DD HH:MM:SS` (UTC) or Unix time"

    def read(self, value: object) -> int:
        written = value if isinstance(value, int | float) and not isinstance(value, bool) else text_of(value, "a time")
        if isinstance(written, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", written):
            raise wrong(f"{written} is a date, expected a time", f"write {written} 00:00:00")
        try:
            moment = times.parse(written)
        except ValueError:
            raise wrong(f"{_shown(written)} is not a time", "write it as 2026-01-31T00:00:00Z") from None
        if not 0 <= moment < times.parse("9999-01-01T00:00:00Z"):
            raise wrong(f"{written} lies outside the years 1970 … 9998")
        return moment

    def write(self, value: int) -> str:
        moment = datetime.fromtimestamp(value // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{moment}.{value % 1000:03d}Z" if value % 1000 else f"{moment}Z"


#: Derived events that one might expect, and what there is instead.
INSTEAD = {
    "session_ca": "session is each partner's own: at all it goes by the current attribution, otherwise by the latest "
    "to the postback's partner, also when another partner has brought the user back since; write session",
}


@dataclass(frozen=True)
class EventName(Kind):
    """A derived event. Other spellings are for incoming records only."""

    doc = "derived event, such as `install` or `event:level_up`"

    def read(self, value: object) -> str:
        name = text_of(value, "a derived event")
        if events.parse(name) is None:
            near = events.suggest(name)
            hint = INSTEAD.get(name) or (f"did you mean {near}?" if near else None)
            raise wrong(f"{_shown(name)} is not a derived event", hint)
        if len(name) > 200 or not name.isprintable():
            raise wrong("the name of an event has at most 200 characters, all of them printable")
        return name


@dataclass(frozen=True)
class Secret(Kind):
    """A reference to a secret, never a secret."""

    doc = "`${env:NAME}` or `${file:PATH}`"

    def read(self, value: object) -> str:
        text = text_of(value, "a reference to a secret")
        found = references.references(text)
        # What stands there may be the secret itself, so it is not repeated.
        if len(found) != 1 or text != f"${{{found[0]}}}" or references.problem(text):
            raise wrong("expected a reference to a secret", "write ${env:NAME} or ${file:PATH}, not the secret")
        return text


@dataclass(frozen=True)
class FieldValue(Kind):
    """Text that may hold references to secrets."""

    doc = "text; a secret as `${env:NAME}` or `${file:PATH}`"

    def read(self, value: object) -> str:
        text = text_of(value)
        if len(text) > 4_096:
            raise wrong(f"has {len(text)} characters, at most 4096 are allowed")
        if problem := references.problem(text):
            raise wrong(problem)
        return text


@dataclass(frozen=True)
class Template(Kind):
    """Text with macros; the template compiler looks at what is in it."""

    doc = "text with macros"

    maximum: int = 65_536

    def read(self, value: object) -> str:
        text = text_of(value)
        if len(text) > self.maximum:
            raise wrong(f"has {len(text)} characters, at most {self.maximum} are allowed")
        return text


@dataclass(frozen=True)
class Body(Kind):
    """Text, or anything that JSON can say."""

    doc = "text with macros, or a mapping sent as JSON with macros in its strings"

    def read(self, value: object) -> Any:
        if isinstance(value, str):
            return Template().read(value)
        pending = [value]
        while pending:
            each = pending.pop()
            if isinstance(each, dict):
                pending.extend(each.values())
            elif isinstance(each, list):
                pending.extend(each)
            else:
                _check_number(each)
        return value


def _check_number(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong("a number in the body is too large for JSON", "write it in quotes")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise wrong("a number in the body has more than 64 bits", "write it in quotes")


@dataclass(frozen=True)
class Identifier(Kind):
    doc = "identifier: " + ", ".join(f"`{name}`" for name in IDENTIFIERS)

    def read(self, value: object) -> str:
        text = text_of(value, "an identifier")
        if text not in IDENTIFIERS:
            raise wrong(f"{_shown(text)} is none of {', '.join(IDENTIFIERS)}", did_you_mean(text, IDENTIFIERS))
        return text


@dataclass(frozen=True)
class TopicName(Kind):
    doc = "name of a Kafka topic"

    def read(self, value: object) -> str:
        text = text_of(value, "the name of a topic")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", text) or text in (".", ".."):
            raise wrong(f"{_shown(text)} cannot be the name of a Kafka topic", "letters, digits, '.', '_' and '-' only")
        return text


def _shown(value: object) -> str:
    """What was found, cut to a length that fits in a line."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = str(value)
    return repr(text if len(text) <= 60 else text[:60] + "…") if isinstance(value, str) else text[:60]
