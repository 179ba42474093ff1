"""The one table of modifiers (contract §6), and chains of them as functions.

A chain is applied from left to right. A missing value passes through it: only `default` and `required` look at
whether it is missing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from streams.templates import references, values
from streams.templates.errors import Unrenderable
from streams.templates.macros import Kind

#: A step of a chain: from the value to the value.
Step = Callable[[Any], Any]

#: A modifier as it is written: its name and its argument.
Call = tuple[str, str | None]

_LONGEST_FRACTION = 20


@dataclass(frozen=True, slots=True)
class Modifier:
    """A modifier, what it works on and what it gives.

    One that works on text takes any value, as the text that the value is written as. `bind` makes the step for an
    argument; it is None for those that are no step: `default` and `required` (what happens when the value is missing)
    and `raw` (how it is encoded). `as_is`: for a modifier whose outcome is written alike at every place, the step that
    gives it as it is written (a text, but for the quotes of JSON).
    """

    name: str
    works_on: Literal["text", "number", "bool", "time", "any"]
    gives: Kind | None
    bind: Callable[[str], Step] | None
    doc: str
    argument: str | None = None
    problem: Callable[[str], str | None] = lambda _argument: None
    as_is: Callable[[str], Step] | None = None

    def argument_problem(self, argument: str | None) -> str | None:
        """What is wrong with the argument as it is written, or None."""
        if self.argument is None:
            return None if argument is None else f"{self.name!r} takes no argument"
        if argument is None:
            return f"{self.name!r} needs an argument: {self.name}:{self.argument}"
        return self.problem(argument)


def _plain(step: Step) -> Callable[[str], Step]:
    return lambda _argument: step


def _on_text(function: Callable[[str], str]) -> Callable[[str], Step]:
    return lambda _argument: lambda value: function(value if type(value) is str else values.text_of(value))


def _hashed(algorithm: Callable[[bytes], Any]) -> Callable[[str], Step]:
    utf8, text_of = values.utf8, values.text_of

    def step(value: object) -> str:
        text = value if type(value) is str else text_of(value)
        return algorithm(utf8(text)).hexdigest()  # type: ignore[no-any-return]

    return _plain(step)


def _hash(name: str, algorithm: Callable[[bytes], Any], doc: str) -> Modifier:
    step = _hashed(algorithm)
    return Modifier(name, "text", "text", step, doc, as_is=step)


def _hmac_sha256(secret: str) -> Step:
    key = values.utf8(secret)
    return lambda value: hmac.digest(key, values.utf8(values.text_of(value)), "sha256").hex()


def _base64url(text: str) -> str:
    return base64.urlsafe_b64encode(values.utf8(text)).rstrip(b"=").decode()


def _fixed(places: str) -> Step:
    count = int(places)
    return lambda value: values.half_up(values.decimal_of(value), count)


def _fixed_text(places: str) -> Step:
    """What `_fixed` gives, written. Most numbers have no more places than are wanted: nothing is rounded in these."""
    count, exact = int(places), _fixed(places)

    def written(value: object) -> str:
        if type(value) is float and value > 0:
            text = repr(value)
            fraction = text.partition(".")[2]
            lacking = count - len(fraction)
            if lacking >= 0 and fraction.isdigit():  # else there is an exponent behind the point
                return text + "0" * lacking
        return format(exact(value), "f")

    return written


def _fixed_problem(places: str) -> str | None:
    if places.isascii() and places.isdigit() and len(places) < 3 and int(places) <= _LONGEST_FRACTION:
        return None
    return f"'fixed' needs a number of places from 0 to {_LONGEST_FRACTION}"


def _secret_problem(secret: str) -> str | None:
    if references.references(secret):
        return None
    return "the key of 'hmac_sha256' must be a reference to a secret: ${env:NAME} or ${file:PATH}"


def _bool10(value: object) -> int:
    if value is True or value == "true":
        return 1
    if value is False or value == "false":
        return 0
    raise Unrenderable("the value is neither true nor false")


MODIFIERS: dict[str, Modifier] = {
    modifier.name: modifier
    for modifier in (
        Modifier("lower", "text", "text", _on_text(str.lower), "in lower case"),
        Modifier("upper", "text", "text", _on_text(str.upper), "in upper case"),
        Modifier("text", "text", "text", _on_text(str), "as text: a string in a JSON body, whatever the value's kind"),
        _hash("md5", partial(hashlib.md5, usedforsecurity=False), "MD5 of the UTF-8, in hex, lower case"),
        _hash("sha1", partial(hashlib.sha1, usedforsecurity=False), "SHA-1 of the UTF-8, in hex, lower case"),
        _hash("sha256", hashlib.sha256, "SHA-256 of the UTF-8, in hex, lower case"),
        Modifier(
            "hmac_sha256",
            "text",
            "text",
            _hmac_sha256,
            "HMAC-SHA-256 of the UTF-8 with a secret key, in hex, lower case; computed by the sender",
            "<secret>",
            _secret_problem,
        ),
        Modifier("base64url", "text", "text", _on_text(_base64url), "Base64 for URLs of the UTF-8, without padding"),
        Modifier(
            "unix",
            "time",
            "number",
            _plain(values.unix),
            "a time as whole seconds since 1970",
            as_is=_plain(lambda at: repr(at // 1000 if type(at) is int else values.unix(at))),
        ),
        Modifier("unix_ms", "time", "number", _plain(lambda at: at), "a time as milliseconds since 1970"),
        Modifier(
            "iso",
            "time",
            "text",
            _plain(values.iso),
            "a time as 2026-01-02T03:04:05Z, which is how times are written anyway",
        ),
        Modifier("date", "time", "text", _plain(values.date), "a time as 2026-01-02, in UTC"),
        Modifier(
            "fixed",
            "number",
            "number",
            _fixed,
            "with so many places, half up on the decimal value",
            "<n>",
            _fixed_problem,
            _fixed_text,
        ),
        Modifier(
            "cents",
            "number",
            "number",
            _plain(lambda n: values.cents(values.decimal_of(n))),
            "a hundred times, half up",
            as_is=_plain(lambda n: repr(values.cents(values.decimal_of(n)))),
        ),
        Modifier(
            "int", "number", "number", _plain(lambda n: int(values.half_up(values.decimal_of(n), 0))), "rounded half up"
        ),
        Modifier("bool10", "bool", "number", _plain(_bool10), "true as 1, false as 0"),
        Modifier("json", "any", "text", _plain(values.json_text), "as JSON: text in quotes, objects whole"),
        Modifier("default", "any", None, None, "this text when the value is missing", "<text>"),
        Modifier("required", "any", None, None, "no postback when the value is missing"),
        Modifier("raw", "any", None, None, "not percent-encoded, as far as that is legal where it stands"),
    )
}


def accepts(modifier: Modifier, kind: Kind) -> bool:
    """Whether the modifier can work on a value of this kind; of `any` only the record knows."""
    return modifier.works_on in ("text", "any", kind) or kind == "any"


def chain(kind: Kind, calls: Iterable[Call]) -> list[Step]:
    """The steps from a value of this kind to one that `values.text_of` and `values.json_text` know how to write.

    Raises `Unrenderable` on a modifier or argument that is none: a chain from a topic has not been seen by the
    compiler.
    """
    steps: list[Step] = []
    for name, argument in calls:
        modifier = MODIFIERS.get(name)
        if modifier is None:
            raise Unrenderable(f"unknown modifier {name!r}")
        if modifier.bind is None:
            continue
        if kind == "time" and modifier.works_on != "time":
            steps.append(values.iso)
        elif kind == "any" and modifier.works_on == "time":
            steps.append(values.time_of)
        steps.append(modifier.bind(argument or ""))
        kind = modifier.gives or kind
    if kind == "time":
        steps.append(values.iso)
    return steps


def apply(steps: Iterable[Step], value: Any) -> Any:
    """The value after all steps; raises `Unrenderable`."""
    for step in steps:
        value = step(value)
    return value
