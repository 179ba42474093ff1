"""The postback as it is tried: whatever its status, at the URL that is given instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from schemas.config import Configuration, Endpoint, Postback

#: Every id of a job that is only tried begins so, as a header and as `{job_id}`.
TEST = "test-"

_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")


def aimed(configuration: Configuration, postback: Postback, url: str | None) -> Configuration:
    """The configuration with just this postback, active, its app live, and its URL replaced by `url`.

    An URL without path and query stands for another host only: those of the postback stay.
    """
    endpoint = postback.endpoint if url is None else _at(postback.endpoint, url)
    tried = msgspec.structs.replace(postback, status="active", endpoint=endpoint)
    apps = tuple(msgspec.structs.replace(app, live_from=None) for app in configuration.apps)
    return msgspec.structs.replace(configuration, apps=apps, postbacks=(tried,))


def _at(endpoint: Endpoint, url: str) -> Endpoint:
    origin = _ORIGIN.match(url)
    if origin is not None and url[origin.end() :] in ("", "/"):
        before = _ORIGIN.match(endpoint.url)
        url = origin[0] + (endpoint.url[before.end() :] if before else "")
    return msgspec.structs.replace(endpoint, url=url)


def ids(token: str) -> Callable[[str, str, str], Callable[[bytes], str]]:
    """Gives every job the id of a test. One that is tried twice is twice a job: a partner that knows ids again would
    otherwise pass the second one over.
    """
    return lambda _postback, _event, _app: lambda _record: f"{TEST}{token}"
