"""The bytes of a request without a connection: those that the wire puts on one, made by the same functions."""

from __future__ import annotations

from streams.templates.finish import Finished, Unrenderable

from .http import origins, requests


def written(request: Finished) -> bytes:
    """The request as HTTP/1.1. Raises `Unrenderable` when the wire would refuse it, with the words of a receipt."""
    try:
        origin, target = origins.split(request.url)
        return requests.written(request, origin, target)
    except origins.Unsendable as error:
        raise Unrenderable(f"request: {error}") from None
