"""What holds for every value, whatever it is."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from schemas.config import Endpoint
from schemas.job import Request
from streams.templates.errors import Refusal, TemplateErrors, Unrenderable
from streams.templates.finish import Finished, finish
from streams.templates.macros import MACROS
from streams.templates.modifiers import MODIFIERS, accepts
from streams.templates.request import CompiledRequest, compile_request
from tests.unit.templates.rendering import HOST, NOW, parameters

HOSTILE = "\r\n\0\t \"'{}$%&=+#?/\\.;:@[]<>|é\u2028\ud800😀aA0"
any_text = st.text() | st.text(alphabet=HOSTILE, max_size=12)
proper_text = any_text.map(lambda text: text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_text
any_value = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(any_text, inner), max_leaves=8)

EVERYWHERE = compile_request(
    Endpoint(
        url=f"{HOST}:8443/a/{{click_id}}/{{user_id|raw}}/b?q={{click_id}}&r={{user_id|raw}}",
        parameters=parameters(("p", "{click_id}-{user_id|raw}"), ("d", "{params.x}", "drop"), ("j", "{params|json}")),
        headers={"X-Click": "{click_id}", "X-Any": "{params.x|raw}"},
        method="POST",
        body={"alone": "{params.x}", "text": "<{click_id}>", "all": "{params}"},
    ),
    {},
)


def sent(compiled: CompiledRequest, values: dict[str, Any], secret: str = "s") -> Finished | Refusal:
    """Both steps, with the job's JSON between them."""
    rendered = compiled.render(values)
    if isinstance(rendered, Refusal):
        return rendered
    request = msgspec.json.decode(msgspec.json.encode(rendered), type=Request)
    return finish(request, attempt=1, now=NOW, secret=lambda _: secret)


@given(click_id=any_text, user_id=any_text, params=st.dictionaries(st.just("x"), any_value))
def test_scheme_host_port_and_structure_are_those_of_the_template(
    click_id: str, user_id: str, params: dict[str, Any]
) -> None:
    request = sent(EVERYWHERE, {"click_id": click_id, "user_id": user_id, "params": params})
    if isinstance(request, Refusal):
        return
    split = urlsplit(request.url)
    assert (split.scheme, split.hostname, split.port) == ("https", "postback.acme.example", 8443)
    assert split.username is split.password is None
    assert split.fragment == ""
    assert split.path.startswith("/a/")
    assert split.path.endswith("/b")
    assert ".." not in split.path.split("/")
    parsed = URL(request.url, encoded=True)
    assert (str(parsed), parsed.host, parsed.port) == (request.url, "postback.acme.example", 8443)


@given(click_id=any_text, user_id=any_text, params=st.dictionaries(st.just("x"), any_value))
def test_no_control_character_reaches_a_url_or_a_header(click_id: str, user_id: str, params: dict[str, Any]) -> None:
    request = sent(EVERYWHERE, {"click_id": click_id, "user_id": user_id, "params": params})
    if isinstance(request, Refusal):
        assert request.reason == "unrenderable"
        return
    assert all(33 <= ord(character) < 127 for character in request.url)
    assert not {"\r", "\n", "\0"} & set("".join(name + value for name, value in request.headers))


@given(values=st.dictionaries(st.sampled_from(sorted(MACROS)), any_value))
def test_rendering_never_raises_on_a_value_of_any_type(values: dict[str, Any]) -> None:
    template = "".join(f"{{{name}}}" for name in MACROS)
    compiled = compile_request(
        Endpoint(url=f"{HOST}/?x={template}", method="POST", body=[f"{{{name}}}" for name in MACROS]), {}
    )
    assert isinstance(compiled.render(values), Request | Refusal)


CHAINS = sorted(
    f"params.x|{name}" + {"fixed": ":2", "default": ":d", "hmac_sha256": ":${env:K}"}.get(name, "")
    for name, modifier in MODIFIERS.items()
    if accepts(modifier, "any")
)


@pytest.mark.parametrize("chain", CHAINS)
@settings(max_examples=30)
@given(value=any_value)
def test_no_modifier_raises_on_a_value_of_params(chain: str, value: Any) -> None:
    compiled = compile_request(Endpoint(url=f"{HOST}/{{{chain}}}?x={{{chain}}}", headers={"X-A": f"{{{chain}}}"}), {})
    try:
        sent(compiled, {"params": {"x": value}})
    except Unrenderable:
        assert "hmac" in chain


IN_QUERY = compile_request(Endpoint(url=f"{HOST}/?x={{click_id}}"), {})
IN_PATH = compile_request(Endpoint(url=f"{HOST}/v{{click_id}}"), {})
IN_FORM = compile_request(
    Endpoint(
        url=HOST, method="POST", body={"x": "{click_id}"}, headers={"Content-Type": "application/x-www-form-urlencoded"}
    ),
    {},
)
IN_JSON = compile_request(Endpoint(url=HOST, method="POST", body={"alone": "{click_id}", "text": "<{click_id}>"}), {})


@given(value=proper_text)
def test_what_is_percent_encoded_decodes_to_the_value(value: str) -> None:
    query, path, form = (sent(compiled, {"click_id": value}) for compiled in (IN_QUERY, IN_PATH, IN_FORM))
    assert isinstance(query, Finished)
    assert isinstance(path, Finished)
    assert isinstance(form, Finished)
    assert form.body is not None
    assert unquote(query.url.partition("?x=")[2]) == value
    assert unquote(path.url.partition("/v")[2]) == value
    assert "/" not in path.url.partition("/v")[2]
    assert unquote(form.body.decode().removeprefix("x=")) == value


@given(value=proper_text)
def test_a_value_in_json_decodes_to_itself_and_is_never_expanded(value: str) -> None:
    request = sent(IN_JSON, {"click_id": value, "user_id": "expanded"})
    assert isinstance(request, Finished)
    assert request.body is not None
    assert json.loads(request.body) == {"alone": value, "text": f"<{value}>"}


@given(literal=proper_text.filter(lambda text: "${" not in text))
def test_literal_text_with_doubled_braces_is_just_that_text(literal: str) -> None:
    template = literal.replace("{", "{{").replace("}", "}}")
    compiled = compile_request(Endpoint(url=HOST, method="POST", body={"x": template}), {})
    request = sent(compiled, {})
    assert isinstance(request, Finished)
    assert request.body is not None
    assert json.loads(request.body) == {"x": literal}


@given(template=any_text | st.text(alphabet="{}|:$envfile click_d", max_size=30))
def test_no_template_makes_the_compiler_fail_but_with_its_own_errors(template: str) -> None:
    endpoint = Endpoint(
        url=template, parameters=parameters(("a", template)), headers={"X-A": template}, method="POST", body=[template]
    )
    with contextlib.suppress(TemplateErrors):
        compile_request(endpoint, {"key": template})


def everywhere(secret: str) -> Endpoint:
    """An endpoint with a text, which may be a reference, in every place."""
    return Endpoint(
        url=f"{HOST}/v{secret}?x={secret}",
        parameters=parameters(("a", f"b {secret}"), ("m", "{partner.key|upper|sha256}"), ("r", "{partner.key|raw}")),
        headers={"X-Key": f"Bearer {secret}"},
        method="POST",
        body={"alone": "{partner.key}", "text": f"<{secret}>"},
    )


@given(secret=st.text(alphabet="abcXYZ019-._~", min_size=1))
def test_what_the_sender_finishes_equals_what_the_worker_would_have_rendered(secret: str) -> None:
    by_sender = compile_request(everywhere("${env:KEY}"), {"key": "${env:KEY}"})
    by_worker = compile_request(everywhere(secret), {"key": secret})
    assert sent(by_sender, {}, secret) == sent(by_worker, {})


@given(value=any_text)
def test_a_secret_field_is_written_like_a_value_in_every_place(value: str) -> None:
    places: dict[str, Any] = {
        "url": f"{HOST}/v%s?q=%s&r=%s",
        "method": "POST",
        "body": {"alone": "%s", "text": "<%s>"},
    }
    text = msgspec.json.encode(places).decode()
    deferred = msgspec.json.decode(text.replace("%s", "{partner.key}"), type=Endpoint)
    direct = msgspec.json.decode(text.replace("%s", "{click_id}"), type=Endpoint)
    by_sender = compile_request(deferred, {"key": "${env:KEY}"})
    assert sent(by_sender, {}, value) == sent(compile_request(direct, {}), {"click_id": value})
