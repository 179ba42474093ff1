"""URLs of endpoints: what their literal text may hold, which place each token stands at, and what no value can make
of them.

Literal text is kept as it is written, so it must be a legal URL (RFC 3986): http or https, a host, no user, no
fragment, no `.` or `..` as a segment of the path. Scheme, host and port are literal. Behind them, a value in the path
cannot begin a query or another segment.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from schemas.job import Place
from streams.templates.errors import Complaints
from streams.templates.parse import Literal, MacroCall, Token
from streams.templates.places import percent

_ILLEGAL = re.compile(r"[^A-Za-z0-9\-._~:/?@!$&'()*+,;=%]|%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://")
_AUTHORITY = re.compile(r"[^/?#]*")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_\-]{0,61}[A-Za-z0-9_])?")
_PLACE_OF_AUTHORITY = "a macro cannot stand in the scheme, the host or the port"
_LONGEST_HOST = 253


def places_of(tokens: Sequence[Token], complaints: Complaints) -> list[tuple[Token, Place]]:
    """Each token with the place where it stands; what is wrong with the literal text goes to `complaints`."""
    behind = _check_origin(tokens, complaints)
    place: Place = "path"
    placed: list[tuple[Token, Place]] = []
    for token in tokens:
        placed.append((token, place))
        if isinstance(token, Literal):
            _check_text(token, behind, complaints)
            place = "query" if "?" in token.text else place
    if (
        behind is not None
        and not complaints.errors
        and any(_is_dots(segment) for segment in _path_of(placed).split("/"))
    ):
        complaints.add(None, "'.' and '..' cannot be segments of the path", "many servers would drop or follow them")
    return placed


def may_make_dots(placed: Sequence[tuple[Token, Place]]) -> bool:
    """Whether some value could make a segment of the path `.` or `..`, so that each rendered URL must be looked at."""
    raw = any(
        place == "path" and isinstance(token, MacroCall) and any(modifier.name == "raw" for modifier in token.modifiers)
        for token, place in placed
    )
    segments = _path_of(placed).split("/")
    return raw or any("\0" in segment and not _undotted(segment).strip(".\0") for segment in segments)


def has_dot_segment(url: str) -> bool:
    """Whether the path has `.` or `..` as a segment, which servers and proxies follow, percent-encoded or not."""
    path = url.partition("?")[0]  # Scheme and host come with it; neither can be dots.
    if "/." not in path and "/%2" not in path:
        return False
    return any(_is_dots(segment) for segment in path.split("/"))


def is_sendable(url: str) -> bool:
    """The last look before the wire: http or https, printable ASCII without spaces, no dot segments."""
    plain = url.isascii() and url.isprintable() and " " not in url and "#" not in url
    return plain and url[:8].lower().startswith(("http://", "https://")) and not has_dot_segment(url)


def _undotted(segment: str) -> str:
    return segment.replace("%2e", ".").replace("%2E", ".")


def _is_dots(segment: str) -> bool:
    return _undotted(segment).partition(";")[0] in (".", "..")


def _path_of(placed: Sequence[tuple[Token, Place]]) -> str:
    """The path as it is written, a NUL for each value; with scheme and host, which no rule on segments minds."""
    written = (token.text if isinstance(token, Literal) else "\0" for token, place in placed if place == "path")
    return "".join(written).partition("?")[0]


def _check_origin(tokens: Sequence[Token], complaints: Complaints) -> int | None:
    """Scheme, host and port. Gives the index in the first token behind them, None when they are wrong."""
    if not tokens:
        complaints.add(None, "there is no URL")
        return None
    head = tokens[0]
    if not isinstance(head, Literal):
        complaints.add(head.column, _PLACE_OF_AUTHORITY, "a URL begins with https://host")
        return None
    scheme = _SCHEME.match(head.text)
    if scheme is None or scheme[1].lower() not in ("http", "https"):
        found = f", not {scheme[1]!r}" if scheme else ""
        complaints.add(head.column, f"a URL begins with http:// or https://{found}")
        return None
    authority = _AUTHORITY.match(head.text, scheme.end())
    end = authority.end() if authority else scheme.end()
    if end == len(head.text) and len(tokens) > 1:
        complaints.add(tokens[1].column, _PLACE_OF_AUTHORITY, "put a '/' behind the host")
        return None
    mistakes = len(complaints.errors)
    _check_authority(head.text[scheme.end() : end], head.column + scheme.end(), complaints)
    return end if len(complaints.errors) == mistakes else None


def _check_authority(authority: str, column: int, complaints: Complaints) -> None:
    if "@" in authority:
        complaints.add(column, "a user or password cannot stand in a URL", "use an Authorization header with a secret")
        return
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        legal = bool(bracket) and _is_ipv6(host)
        colon, port = rest[:1], rest[1:]
        legal = legal and colon in ("", ":")
    else:
        host, colon, port = authority.partition(":")
        legal = _is_host_name(host)
    if not host:
        complaints.add(column, "the host is missing")
    elif not legal:
        hint = None if authority.isascii() else "an international name is written in its ASCII form, xn--…"
        complaints.add(column, f"{authority!r} is not a host with an optional port", hint)
    elif colon and not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        complaints.add(column + authority.rfind(":") + 1, f"{port!r} is not a port")


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.IPv6Address(host).scope_id is None
    except ValueError:
        return False


def _is_host_name(host: str) -> bool:
    return len(host) <= _LONGEST_HOST and all(_LABEL.fullmatch(label) for label in host.removesuffix(".").split("."))


def _check_text(token: Literal, behind: int | None, complaints: Complaints) -> None:
    """The legal characters of the literal text behind host and port."""
    start = (behind or 0) if token.column == 1 else 0
    if token.column == 1 and behind is None:
        return
    for illegal in _ILLEGAL.finditer(token.text, start):
        character = illegal[0]
        message, hint = f"{character!r} is not legal in a URL", f"write {percent(character)}"
        if character == "#":
            message, hint = "a fragment ('#') is never sent to a server", "write %23 for the character itself"
        elif character == "%":
            message, hint = "a '%' without two hexadecimal digits behind it", "write %25 for the character itself"
        complaints.add(token.column + illegal.start(), message, hint)
