"""Names of headers: which are legal, and which only the sender sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streams.templates.errors import Complaints

#: What the sender, or the connection, says. A template that said it too could split or forge a request.
RESERVED = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

#: What the sender says of a request that it signs, see `streams.delivery.signing`.
SIGNATURE = ("webhook-id", "webhook-timestamp", "webhook-signature")

_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def is_token(name: str) -> bool:
    """Whether the name is one that a header can have (RFC 9110 §5.6.2)."""
    return bool(name) and name.isascii() and not name.encode().translate(None, _TOKEN)


def check_names(names: Iterable[str], complaints: Complaints) -> None:
    """Legal, not reserved, and none twice: upper and lower case make no difference."""
    seen: dict[str, str] = {}
    for name in names:
        here = complaints.at(name)
        folded = name.lower()
        if not is_token(name):
            here.add(None, f"{name!r} is not a legal name of a header")
        elif folded in RESERVED:
            here.add(None, f"the header {name!r} is set by the sender and cannot be set here")
        elif folded in seen:
            here.add(None, f"the header {name!r} is there twice, as {seen[folded]!r} too")
        seen.setdefault(folded, name)


def media_type(headers: Mapping[str, str]) -> str | None:
    """The media type that the headers declare, in lower case and without parameters; None when they declare none."""
    for name, value in headers.items():
        if name.lower() == "content-type":
            return value.partition(";")[0].strip().lower()
    return None


def is_json(media: str | None) -> bool:
    """Whether the media type is JSON or built on it."""
    return media is not None and (media == "application/json" or media.endswith("+json"))
