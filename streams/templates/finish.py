"""Finishing a request: the second of the two steps, done by the sender for each attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from schemas.job import Deferred, Part, Request
from streams.templates import headers, macros, modifiers, places, references, url, values
from streams.templates.errors import Unrenderable

__all__ = ["Finished", "Unrenderable", "finish"]


class Finished(msgspec.Struct, gc=False):
    """A request as it goes out. The URL is encoded and must not be encoded again. Nothing secret shows in `repr`."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | None

    def __repr__(self) -> str:
        return f"Finished({self.method!r})"


class _Moment(NamedTuple):
    """What the sender knows and the worker did not."""

    attempt: int
    now: int
    secret: Callable[[str], str]


def finish(request: Request, *, attempt: int, now: int, secret: Callable[[str], str]) -> Finished:
    """The request of one attempt, complete. `now` is in milliseconds; `secret` gives the secret of a reference such
    as `env:ACME_KEY`.

    Raises `Unrenderable` when a part cannot stand where it is put, or when the request is none that a template could
    have made: the job comes from a topic. What `secret` raises is passed on.
    """
    moment = _Moment(attempt, now, secret)
    address = _text(request.url, moment)
    if not url.is_sendable(address):
        raise Unrenderable("the finished URL is not one that can be sent")
    written = [(_name(name), places.header(_text(parts, moment))) for name, parts in request.headers]
    body = values.utf8(_text(request.body, moment)) if request.body is not None else None
    return Finished(request.method, address, written, body)


def _name(name: str) -> str:
    if not headers.is_token(name) or name.lower() in headers.RESERVED:
        raise Unrenderable("the request has a header that cannot be set")
    return name


def _text(parts: Sequence[Part], moment: _Moment) -> str:
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    return "".join([part if isinstance(part, str) else _finished(part, moment) for part in parts])


def _finished(part: Deferred, moment: _Moment) -> str:
    value, kind = _base(part, moment)
    calls = [(name, argument and references.resolve(argument, moment.secret)) for name, argument in part.modifiers]
    try:
        written = modifiers.apply(modifiers.chain(kind, calls), value)
        return places.encoder(part.place, ("raw", None) in part.modifiers)(written)
    except (TypeError, ValueError, ArithmeticError):
        raise Unrenderable("a deferred part has a modifier that does not fit its value") from None


def _base(part: Deferred, moment: _Moment) -> tuple[object, macros.Kind]:
    if part.kind == "value":
        return part.base, "any"
    if part.kind == "text" and isinstance(part.base, str):
        return references.resolve(part.base, moment.secret), "any"
    if part.base == "attempt":
        return moment.attempt, "number"
    if part.base == "now":
        return moment.now, "time"
    raise Unrenderable("a deferred part is neither a value, a text, nor a macro that the sender knows")
