"""Encoding for the place where a value stands: a URL's path or query, a header, a text, a JSON string, a form.

`raw` keeps in a URL or form what is legal in that component of a URL, so that a value which is encoded already, or is
a piece of a query, goes through as it is. It cannot leave its component: `?`, `#` in a path, `#` in a query, spaces,
control characters, quotes, non-ASCII text and a `%` that begins no escape are encoded all the same. Where nothing is
percent-encoded, it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from schemas.job import Place
from streams.templates.errors import Unrenderable
from streams.templates.values import clean, json_string, text_of, utf8

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_SUB_DELIMITERS = b"!$&'()*+,;="
_HEX = frozenset("0123456789abcdefABCDEF")


def _table(kept: bytes) -> tuple[str, ...]:
    return tuple(chr(byte) if byte in kept else f"%{byte:02X}" for byte in range(256))


_ENCODED = _table(_UNRESERVED)
_ENCODED_ASCII = dict(enumerate(_ENCODED[:128]))
_RAW_PATH = _table(_UNRESERVED + _SUB_DELIMITERS + b":@/")
_RAW_QUERY = _table(_UNRESERVED + _SUB_DELIMITERS + b":@/?")


def percent(value: object) -> str:
    """Percent-encoded; only RFC 3986's unreserved characters stay."""
    text = value if type(value) is str else text_of(value)
    if text.isalnum() and text.isascii():
        return text
    if text.isascii():
        return text.translate(_ENCODED_ASCII)
    return "".join(map(_ENCODED.__getitem__, utf8(text)))


def _raw_with(table: tuple[str, ...]) -> Callable[[object], str]:
    def written(text: str) -> str:
        return "".join(map(table.__getitem__, utf8(text)))

    def encode(value: object) -> str:
        first, *rest = text_of(value).split("%")
        escapes = [("%" if len(part) > 1 and _HEX.issuperset(part[:2]) else "%25") + written(part) for part in rest]
        return written(first) + "".join(escapes)

    return encode


def header(value: object) -> str:
    """A header's value: no control character but the tab (RFC 9110 §5.5), else `Unrenderable`."""
    text = text_of(value)
    if text.isprintable():
        return text
    if any((character < " " and character != "\t") or character == "\x7f" for character in text):
        raise Unrenderable("a header's value cannot hold a control character such as a line break")
    return clean(text)


def plain(value: object) -> str:
    """As it is."""
    return clean(text_of(value))


def json_inner(value: object) -> str:
    """Escaped for the inside of a JSON string."""
    return json_string(text_of(value))[1:-1]


_ENCODERS: dict[tuple[Place, bool], Callable[[object], str]] = {
    ("path", False): percent,
    ("path", True): _raw_with(_RAW_PATH),
    ("query", False): percent,
    ("query", True): _raw_with(_RAW_QUERY),
    ("form", False): percent,
    ("form", True): _raw_with(_RAW_QUERY),
    ("header", False): header,
    ("header", True): header,
    ("text", False): plain,
    ("text", True): plain,
    ("json", False): json_inner,
    ("json", True): json_inner,
}


def encoder(place: Place, raw: bool) -> Callable[[object], str]:
    """The function that writes a value for a place. It raises `Unrenderable` when the value cannot stand there."""
    return _ENCODERS[place, raw]
