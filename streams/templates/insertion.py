"""What stands where a macro or a reference to a secret stands: text, a deferred part, or a function of the record's
values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import methodcaller
from typing import Any

from schemas.job import Deferred, Part, Place
from streams.templates import macros, modifiers, places, references, values
from streams.templates.errors import Complaints, Refusal, Refused, Unrenderable, did_you_mean
from streams.templates.modifiers import MODIFIERS, Call, Step
from streams.templates.parse import MacroCall, ModifierCall, Reference

#: What a record's values are read from: a mapping by macro name, or whatever else `Scope.find` has readers for.
Values = Any

#: A part for a record's values: literal text, one deferred part, or several parts. Raises `Refused`.
Render = Callable[[Values], Part | tuple[Part, ...]]

#: The value of a macro, None when it is missing.
Read = Callable[[Values], Any]

#: The reader of a macro; None for one that never has a value. Of a family (`params`) it reads the whole.
Find = Callable[[str], Read | None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a compilation knows and learns: the partner's fields, where values are found, and the names of the macros
    that need a value.
    """

    fields: Mapping[str, str]
    find: Find
    needed: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a token stands: its place, whether it is a whole JSON value (it keeps its type), and whether a missing
    value refuses.
    """

    place: Place
    whole: bool = False
    demanding: bool = False

    def encode(self, raw: bool) -> Callable[[Any], str]:
        """The function that writes a value here."""
        if self.whole:
            return values.json_text
        return places.encoder(self.place, raw)

    def deferred(self, part: Deferred, raw: bool) -> Deferred:
        """The deferred part, told how to write its value here. A whole JSON value is made by `json` and then stands
        as text.
        """
        last: tuple[Call, ...] = (("json", None),) if self.whole else (("raw", None),) if raw else ()
        return Deferred(part.kind, part.base, (*part.modifiers, *last), "text" if self.whole else self.place)


@dataclass(frozen=True, slots=True)
class Insertion:
    """`constant` is known when the template is compiled; otherwise `render` gives it. `lacking` reads a value that
    may be missing with nothing to stand in for it: None when there is none such.
    """

    constant: Part | None = None
    render: Render | None = None
    lacking: Read | None = None
    defers: bool = False


def by_name(name: str) -> Read:
    """The reader of a macro from a mapping by macro name."""
    return methodcaller("get", name)


def of_reference(token: Reference, spot: Spot) -> Insertion:
    """A reference to a secret in literal text."""
    return Insertion(spot.deferred(Deferred("text", token.text, (), spot.place), raw=False))


def of_macro(token: MacroCall, spot: Spot, scope: Scope, complaints: Complaints) -> Insertion | None:
    """A macro with its modifiers; None when something is wrong with it, which `complaints` then knows."""
    macro = macros.find(token.name)
    if macro is None:
        complaints.add(token.column, f"unknown macro {token.name!r}", _macro_hint(token.name))
        return None
    if not _checked(macro, token.modifiers, complaints):
        return None
    calls = tuple((modifier.name, modifier.argument) for modifier in token.modifiers)
    if macro.level == "deferred":
        return Insertion(spot.deferred(Deferred("macro", macro.name, _steps_only(calls), spot.place), _is_raw(calls)))
    try:
        if macro.level == "partner":
            return _partner_field(token, calls, spot, scope, complaints)
        scope.needed.add(token.name)
        return _inserted(token.name, macro.kind, calls, spot, _reader(token.name, scope.find), complaints.where())
    except Unrenderable as problem:
        complaints.add(token.column, f"{{{token.name}}} can never be written here: {problem}")
        return None


def _macro_hint(name: str) -> str | None:
    bare = name.strip().removeprefix("$")
    if bare.startswith(("env:", "file:")):
        return f"a secret is written ${{{bare}}}"
    known = [*macros.MACROS, *(f"{family}.{name.partition('.')[2] or '<name>'}" for family in macros.FAMILIES)]
    return did_you_mean(name, known)


def _checked(macro: macros.Macro, calls: tuple[ModifierCall, ...], complaints: Complaints) -> bool:
    """Whether every modifier exists, has its argument, and can work on what it is given."""
    mistakes = len(complaints.errors)
    kind, giver = macro.kind, f"{{{macro.name}}}"
    for call in calls:
        modifier = MODIFIERS.get(call.name)
        if modifier is None:
            complaints.add(call.column, f"unknown modifier {call.name!r}", did_you_mean(call.name, MODIFIERS))
            continue
        if problem := modifier.argument_problem(call.argument) or references.problem(call.argument or ""):
            complaints.add(call.column, problem)
        if not modifiers.accepts(modifier, kind):
            complaints.add(
                call.column,
                f"{call.name!r} works on {macros.KINDS[modifier.works_on]}, and {giver} is {macros.KINDS[kind]}",
            )
        if modifier.gives is not None:
            kind, giver = modifier.gives, f"what {call.name!r} gives"
    return len(complaints.errors) == mistakes


def _steps_only(calls: tuple[Call, ...]) -> tuple[Call, ...]:
    return tuple(call for call in calls if MODIFIERS[call[0]].bind is not None)


def _is_raw(calls: tuple[Call, ...]) -> bool:
    return any(name == "raw" for name, _ in calls)


def _secret_from(calls: tuple[Call, ...]) -> int | None:
    """The index of the first call whose argument holds a secret."""
    return next((index for index, (_, argument) in enumerate(calls) if references.references(argument or "")), None)


def _first(calls: tuple[Call, ...], *names: str) -> int | None:
    """The index of the first call of one of these modifiers."""
    return next((index for index, (name, _) in enumerate(calls) if name in names), None)


def _partner_field(
    token: MacroCall, calls: tuple[Call, ...], spot: Spot, scope: Scope, complaints: Complaints
) -> Insertion | None:
    name = token.name.partition(".")[2]
    written = scope.fields.get(name)
    if written is not None:
        if problem := references.problem(written):
            complaints.add(token.column, f"the partner's field {name!r}: {problem}")
            return None
        return Insertion(_known_text(written, "text", calls, spot))
    standing_in = _first(calls, "default")
    if standing_in is not None:
        return Insertion(
            _known_text(calls[standing_in][1] or "", "any", calls[standing_in + 1 :], spot, _is_raw(calls))
        )
    remedy = f"add {name!r} to the partner's fields, or a default: {{{token.name}|default:…}}"
    complaints.add(token.column, f"the partner has no field {name!r}", did_you_mean(name, scope.fields) or remedy)
    return None


def _known_text(text: str, kind: macros.Kind, calls: tuple[Call, ...], spot: Spot, raw: bool = False) -> Part:
    """The part for a text of the configuration, which may hold references to secrets, and the modifiers on it."""
    raw = raw or _is_raw(calls)
    calls = _steps_only(calls)
    if references.references(text):
        return spot.deferred(Deferred("text", text, calls, spot.place), raw)
    secret = _secret_from(calls)
    value = modifiers.apply(modifiers.chain(kind, calls[:secret]), text)
    if secret is not None:
        return spot.deferred(Deferred("value", values.clean(values.text_of(value)), calls[secret:], spot.place), raw)
    return spot.encode(raw)(value)


def _inserted(name: str, kind: macros.Kind, calls: tuple[Call, ...], spot: Spot, read: Read, where: str) -> Insertion:
    """A macro that needs a value of the record."""
    raw = _is_raw(calls)
    missing: Part | Refusal
    missing_at = _first(calls, "default", "required")
    lacking: Read | None = None
    if missing_at is not None and calls[missing_at][0] == "default":
        missing = _known_text(calls[missing_at][1] or "", "any", calls[missing_at + 1 :], spot, raw)
    elif missing_at is not None or spot.demanding:
        missing = Refusal("missing_required", f"{where}: {{{name}}} has no value")
    else:
        missing = "null" if spot.whole else ""
        lacking = read
    steps, defers = _writer(kind, _steps_only(calls), spot, raw)
    render = Renderer(read, _in_a_row(steps), missing, f"{where}: {{{name}}}")
    return Insertion(None, render, lacking, defers or isinstance(missing, Deferred))


def _writer(kind: macros.Kind, calls: tuple[Call, ...], spot: Spot, raw: bool) -> tuple[list[Step], bool]:
    """The functions from a value to its part, and whether that is a deferred one: from the first secret on, the
    sender goes on.
    """
    secret = _secret_from(calls)
    steps: list[Step] = modifiers.chain(kind, calls[:secret])
    if secret is None:
        return _written(steps, calls, spot, raw), False
    rest = calls[secret:]
    pattern = spot.deferred(Deferred("value", "", rest, spot.place), raw)

    def capture(value: object) -> Deferred:
        return Deferred("value", values.clean(values.text_of(value)), pattern.modifiers, pattern.place)

    return [*steps, capture], True


def _written(steps: list[Step], calls: tuple[Call, ...], spot: Spot, raw: bool) -> list[Step]:
    """The steps, and the writing of what comes out of them. What stands everywhere as it is needs no encoding."""
    if calls:
        name, argument = calls[-1]
        modifier = MODIFIERS[name]
        # As a whole value of JSON a text is put into quotes.
        if modifier.as_is is not None and (modifier.gives == "number" or not spot.whole):
            return [*steps[:-1], modifier.as_is(argument or "")]
    return [*steps, spot.encode(raw)]


def _reader(name: str, find: Find) -> Read:
    family, _, member = name.partition(".")
    whole = find(family)
    if whole is None:
        return _nothing
    return _member_reader(whole, member) if member else whole


def _nothing(_given: Values) -> None:
    return None


def _member_reader(whole: Read, member: str) -> Read:
    steps = member.split(".")

    def read(given: Values) -> Any:
        found: Any = whole(given)
        if not isinstance(found, dict):
            return None
        if member in found:
            return found[member]
        for step in steps:
            if not isinstance(found, dict):
                return None
            found = found.get(step)
        return found

    return read


class Renderer:
    """Writes the value of a macro. Called, it knows what to do when there is none, or when it cannot be written: its
    `write` raises `Unrenderable` then.
    """

    __slots__ = ("_missing", "_where", "read", "write")

    def __init__(self, read: Read, write: Step, missing: Part | Refusal, where: str) -> None:
        self.read, self.write = read, write
        self._missing, self._where = missing, where

    def __call__(self, given: Values) -> Part:
        value = self.read(given)
        if value is None:
            if isinstance(self._missing, Refusal):
                raise Refused(self._missing)
            return self._missing
        try:
            return self.write(value)  # type: ignore[no-any-return]
        except Unrenderable as problem:
            raise Refused(Refusal("unrenderable", f"{self._where}: {problem}")) from None


def _in_a_row(steps: Sequence[Step]) -> Step:
    """The steps as one."""
    if len(steps) == 1:
        return steps[0]
    *before, last = steps
    first = _in_a_row(before)
    return lambda value: last(first(value))
