"""How a value is written: as text, as JSON, as a number, as a moment (contract §6, "Times render as …")."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

from schemas import times
from streams.templates.errors import Unrenderable

_EPOCH = datetime(1970, 1, 1)
_EXACT = Context(prec=700)  # The largest float has 309 digits, the smallest 324 places: nothing is rounded by accident.
_DIGITS_END = 330
_TWO = tuple(f"{number:02}" for number in range(60))
_NO_TIME = "the value is not a time in the years 1 to 9999"


def utf8(text: str) -> bytes:
    """UTF-8 of any text; half a surrogate pair, which has none, becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return clean(text).encode()


def clean(text: str) -> str:
    """The text with halves of surrogate pairs joined or replaced by U+FFFD, so that it can be written to a topic or a
    socket.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def text_of(value: object) -> str:
    """A value as text: numbers in their shortest form without exponent, `true`/`false`, objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return _number_text(value)
    if isinstance(value, dict | list | tuple):
        return json_text(value)
    raise Unrenderable(f"a value of type {type(value).__name__} cannot be written as text")


def _number_text(value: float | Decimal) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    try:
        text = repr(value)
    except ValueError:
        raise Unrenderable("the number has too many digits") from None
    if text.endswith(".0"):
        text = text[:-2]
    if "n" in text:  # nan, inf
        raise Unrenderable("the number is not finite")
    if "e" in text:
        text = format(Decimal(text), "f")
    return "0" if text == "-0" else text


def json_text(value: object) -> str:
    """A value as compact JSON. Numbers inside an object stay as they came."""
    if isinstance(value, str):
        return json_string(value)
    if isinstance(value, dict | list | tuple):
        try:
            return msgspec.json.encode(value).decode()
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
            raise Unrenderable("the object cannot be written as JSON") from None
    return text_of(value)


def json_string(text: str) -> str:
    """A JSON string, quotes included."""
    try:
        return msgspec.json.encode(text).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(clean(text)).decode()


def decimal_of(value: object) -> Decimal:
    """The decimal value of a number or of a text that is one, exactly as it is written: 1.005 is 1.005."""
    number: Decimal | None = None
    if isinstance(value, str):
        number = _written_number(value)
    elif isinstance(value, float):
        number = Decimal(repr(value))
    elif isinstance(value, int | Decimal) and not isinstance(value, bool):
        number = Decimal(value)
    if number is None or not number.is_finite():
        raise Unrenderable("the value is not a number")
    if number and abs(number.adjusted()) > _DIGITS_END:
        raise Unrenderable("the number has too many digits")
    return number


def _written_number(text: str) -> Decimal | None:
    if text.strip("+-.0123456789eE") or not text or len(text) > _DIGITS_END:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def half_up(number: Decimal, places: int) -> Decimal:
    """Rounded to so many places, a half away from zero; never a negative zero."""
    rounded = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)
    return abs(rounded) if rounded.is_zero() else rounded


def cents(number: Decimal) -> int:
    """A hundred times the number, half up."""
    return int(half_up(number.scaleb(2, _EXACT), 0))


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    """The date so many days after 1970-01-01; records of one time share their dates."""
    return (_EPOCH + timedelta(days=days)).date().isoformat()


def unix(at: Any) -> int:
    """Whole seconds since 1970."""
    try:
        return int(at // 1000)
    except (OverflowError, TypeError, ValueError):
        raise Unrenderable(_NO_TIME) from None


def iso(at: Any) -> str:
    """`2026-01-02T03:04:05Z`."""
    try:
        days, seconds = divmod(at // 1000, 86_400)
        return f"{_day(days)}T{_TWO[seconds // 3600]}:{_TWO[seconds // 60 % 60]}:{_TWO[seconds % 60]}Z"
    except (OverflowError, TypeError, ValueError):
        raise Unrenderable(_NO_TIME) from None


def date(at: Any) -> str:
    """`2026-01-02`, in UTC."""
    try:
        return _day(at // 86_400_000)
    except (OverflowError, TypeError, ValueError):
        raise Unrenderable(_NO_TIME) from None


def time_of(value: object) -> int:
    """The milliseconds of a time as users write it (contract §3)."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with suppress(times.UnreadableTimeError):
            moment = times.parse(value)
            if times.FIRST < moment < times.LAST:  # At its ends it may be any time beyond them.
                return moment
    raise Unrenderable(_NO_TIME)
