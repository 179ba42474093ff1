"""Short ways to compile, render and finish an endpoint in the tests of this room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from schemas.config import Endpoint, Parameter
from schemas.job import Request
from streams.templates.errors import Refusal, TemplateError, TemplateErrors
from streams.templates.finish import Finished, finish
from streams.templates.request import compile_request

HOST = "https://postback.acme.example"
NOW = 1_767_323_045_678  # 2026-01-02T03:04:05.678Z

#: What the sender's secrets are in these tests.
SECRETS = {"env:ACME_KEY": "s3cr&t/é", "env:OTHER": "other", "file:/run/secrets/acme": "from a file"}


def render(
    values: Mapping[str, object] | None = None, fields: Mapping[str, str] | None = None, **endpoint: Any
) -> Request:
    """The worker's step; the request has been through JSON, as in a topic."""
    rendered = compile_request(_endpoint(endpoint), fields or {}).render(values or {})
    assert isinstance(rendered, Request), rendered
    return msgspec.json.decode(msgspec.json.encode(rendered), type=Request)


def finished(
    values: Mapping[str, object] | None = None, fields: Mapping[str, str] | None = None, **endpoint: Any
) -> Finished:
    """Both steps."""
    return finish(render(values, fields, **endpoint), attempt=2, now=NOW, secret=SECRETS.__getitem__)


def refusal(
    values: Mapping[str, object] | None = None, fields: Mapping[str, str] | None = None, **endpoint: Any
) -> Refusal:
    rendered = compile_request(_endpoint(endpoint), fields or {}).render(values or {})
    assert isinstance(rendered, Refusal), rendered
    return rendered


def errors(fields: Mapping[str, str] | None = None, **endpoint: Any) -> list[TemplateError]:
    """The mistakes of an endpoint that must not compile."""
    with pytest.raises(TemplateErrors) as raised:
        compile_request(_endpoint(endpoint), fields or {})
    return raised.value.errors


def error(fields: Mapping[str, str] | None = None, **endpoint: Any) -> TemplateError:
    """The only mistake of an endpoint."""
    (only,) = errors(fields, **endpoint)
    return only


def written(template: str, values: Mapping[str, object] | None = None, fields: Mapping[str, str] | None = None) -> str:
    """A template as a body of text, which is encoded in no way."""
    body = finished(values, fields, url=HOST, method="POST", body=template).body
    assert body is not None
    return body.decode()


def in_json(value: Any, values: Mapping[str, object] | None = None, fields: Mapping[str, str] | None = None) -> str:
    """A value as the body of a JSON request."""
    body = finished(values, fields, url=HOST, method="POST", body=value).body
    assert body is not None
    return body.decode()


def in_query(template: str, values: Mapping[str, object] | None = None) -> str:
    """A template in the query of a URL."""
    return finished(values, url=f"{HOST}/i?x={template}").url.partition("?x=")[2]


def in_path(template: str, values: Mapping[str, object] | None = None) -> str:
    """A template in the path of a URL, behind the first slash."""
    return finished(values, url=f"{HOST}/{template}").url.removeprefix(f"{HOST}/")


def parameters(*rows: tuple[str, str] | tuple[str, str, str]) -> tuple[Parameter, ...]:
    """Parameters by name, value and (when given) `when_missing`."""
    return tuple(
        msgspec.convert(dict(zip(("name", "value", "when_missing"), row, strict=False)), Parameter) for row in rows
    )


def _endpoint(given: dict[str, Any]) -> Endpoint:
    return Endpoint(**{"url": f"{HOST}/i", **given})
