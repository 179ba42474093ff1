"""Where a URL leads, and what of it goes into the request line. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

#: A host is literal in a template, so there are not many of them.
REMEMBERED = 4_096
_PORTS = {"http": 80, "https": 443}
_AUTHORITY = re.compile(r"[^:/?#]+://[^/?#]*")
_ORIGIN = re.compile(r"(https?)://(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._\-]+))(?::([0-9]{0,5}))?", re.IGNORECASE)


class Unsendable(ValueError):
    """This cannot be put on the wire. The text says what, without anything of the request: it may hold secrets."""


class Origin(NamedTuple):
    """A partner's server. `host` is a name or an address without brackets; `named` is the value of a `Host` header."""

    tls: bool
    host: str
    port: int
    named: str


def split(url: str) -> tuple[Origin, str]:
    """The origin, and the target exactly as it is written there. Raises `Unsendable`."""
    found = _AUTHORITY.match(url)
    if found is None or not url.isascii() or not url.isprintable() or " " in url or "#" in url:
        raise Unsendable("bad URL")
    target = url[found.end() :]
    return _origin(found[0]), target if target.startswith("/") else f"/{target}"


@lru_cache(REMEMBERED)
def _origin(text: str) -> Origin:
    found = _ORIGIN.fullmatch(text)
    if found is None:
        raise Unsendable("bad URL")
    scheme, literal, name, digits = found.groups()
    usual = _PORTS[scheme.lower()]
    port = int(digits) if digits else usual
    if not 0 < port < 65_536:
        raise Unsendable("bad URL")
    host = f"[{literal}]" if literal else name
    return Origin(scheme.lower() == "https", literal or name, port, host if port == usual else f"{host}:{port}")
