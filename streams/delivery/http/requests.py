"""The bytes of a request, exactly as they go out. Pure."""

from __future__ import annotations

from streams.templates.finish import Finished

from .origins import Origin, Unsendable

#: What every request says that does not say it itself.
USUAL = (("User-Agent", "Ringback"), ("Accept", "*/*"))
_USUAL_LINES = "".join(f"{name}: {value}\r\n" for name, value in USUAL)
_USUAL_NAMES = frozenset(name.lower() for name, _ in USUAL)
#: These say how long their body is, also when there is none (RFC 9110 §8.6).
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def written(request: Finished, origin: Origin, target: str) -> bytes:
    """Head and body. Raises `Unsendable` when a header would not stay one header."""
    headers = request.headers
    own = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if own.count("\r") != len(headers) or own.count("\n") != len(headers) or "\0" in own:
        raise Unsendable("bad header")
    if not request.method.isalpha():
        raise Unsendable("bad method")
    head = f"{request.method} {target} HTTP/1.1\r\nHost: {origin.named}\r\n{_usual(headers)}{own}"
    body = request.body
    if body is not None or request.method in _WITH_BODY:
        head = f"{head}Content-Length: {len(body or b'')}\r\n"
    try:
        return f"{head}\r\n".encode() + (body or b"")
    except UnicodeEncodeError:
        raise Unsendable("bad header") from None


def _usual(headers: list[tuple[str, str]]) -> str:
    said = _USUAL_NAMES.intersection([name.lower() for name, _ in headers])
    if not said:
        return _USUAL_LINES
    return "".join(f"{name}: {value}\r\n" for name, value in USUAL if name.lower() not in said)
