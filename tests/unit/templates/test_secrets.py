from __future__ import annotations

import hashlib
import hmac
import json

import msgspec
import pytest

from schemas.job import Deferred, Request
from streams.templates.finish import Unrenderable, finish
from streams.templates.references import references
from tests.unit.templates.rendering import HOST, NOW, SECRETS, error, finished, in_json, parameters, render, written

KEY = SECRETS["env:ACME_KEY"]
FIELDS = {"key": "${env:ACME_KEY}", "mixed": "a-${env:OTHER}-${file:/run/secrets/acme}"}
HMAC = "{click_id|lower|hmac_sha256:${env:ACME_KEY}}"


def signature(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_the_references_of_a_text_are_told_in_their_order() -> None:
    assert references("a ${env:A} {x|hmac_sha256:${file:/b|c}} ${nope:D} $env:E") == ["env:A", "file:/b|c"]


def test_a_secret_stands_nowhere_in_the_job() -> None:
    request = render(
        {"click_id": "C"},
        FIELDS,
        url=f"{HOST}/{{partner.key}}?x=${{env:ACME_KEY}}",
        parameters=parameters(("a", "{partner.mixed|sha256}"), ("b", HMAC)),
        headers={"Authorization": "Bearer ${env:ACME_KEY}"},
        method="POST",
        body={"a": "{partner.key}", "b": "x ${env:ACME_KEY}"},
    )
    assert not any(secret in msgspec.json.encode(request).decode() for secret in SECRETS.values())


def test_a_secret_is_encoded_for_the_place_where_it_stands() -> None:
    request = finished(
        {},
        FIELDS,
        url=f"{HOST}/{{partner.key}}?x=${{env:ACME_KEY}}",
        headers={"Authorization": "Bearer ${env:ACME_KEY}"},
        method="POST",
        body={"a": "{partner.key}", "b": "x ${env:ACME_KEY}"},
    )
    assert request.url == f"{HOST}/s3cr%26t%2F%C3%A9?x=s3cr%26t%2F%C3%A9"
    assert dict(request.headers)["Authorization"] == f"Bearer {KEY}"
    assert request.body is not None
    assert json.loads(request.body) == {"a": KEY, "b": f"x {KEY}"}


def test_a_secret_with_quotes_stays_inside_its_json_string() -> None:
    request = render(method="POST", body={"a": "x ${env:Q}", "b": "{partner.q}"}, fields={"q": "${env:Q}"})
    body = finish(request, attempt=1, now=NOW, secret=lambda _: '"}\n').body
    assert body is not None
    assert json.loads(body) == {"a": 'x "}\n', "b": '"}\n'}


def test_modifiers_on_a_secret_are_applied_by_the_sender() -> None:
    assert written("{partner.key|upper|md5}", {}, FIELDS) == hashlib.md5(KEY.upper().encode()).hexdigest()


def test_several_references_in_a_field_are_all_put_in_place() -> None:
    assert written("{partner.mixed}", {}, FIELDS) == "a-other-from a file"


def test_an_hmac_is_computed_by_the_sender_over_the_captured_value() -> None:
    assert written(HMAC, {"click_id": "C&d"}) == signature("c&d")


def test_what_comes_behind_an_hmac_is_done_by_the_sender_too() -> None:
    assert written("{revenue|fixed:2|hmac_sha256:${env:ACME_KEY}|upper}", {"revenue": 5.0}) == signature("5.00").upper()


def test_an_hmac_over_a_time_is_over_the_time_as_it_is_written() -> None:
    assert written("{event_timestamp|hmac_sha256:${env:ACME_KEY}}", {"event_timestamp": NOW}) == signature(
        "2026-01-02T03:04:05Z"
    )


def test_an_hmac_over_what_only_the_sender_knows() -> None:
    assert written("{now|unix|hmac_sha256:${env:ACME_KEY}} {attempt}") == f"{signature(str(NOW // 1000))} 2"


def test_an_hmac_over_a_field_of_the_partner() -> None:
    assert written("{partner.id|hmac_sha256:${env:ACME_KEY}}", {}, {"id": "x"}) == signature("x")


def test_an_hmac_alone_in_json_is_a_string() -> None:
    assert json.loads(in_json({"s": HMAC}, {"click_id": "C"})) == {"s": signature("c")}


def test_an_hmac_over_a_missing_value_is_missing() -> None:
    assert written(f"[{HMAC}]") == "[]"
    assert in_json({"s": HMAC}) == '{"s":null}'
    assert written("{click_id|hmac_sha256:${env:ACME_KEY}|default:none}") == "none"


def test_an_hmac_over_a_default_is_over_the_default() -> None:
    assert written("{click_id|default:none|hmac_sha256:${env:ACME_KEY}}") == signature("none")


def test_a_default_may_be_a_secret() -> None:
    template = "{click_id|default:${env:ACME_KEY}|upper}"
    assert written(template) == KEY.upper()
    assert written(template, {"click_id": "c"}) == "C"


def test_a_value_that_reads_like_a_reference_is_never_resolved() -> None:
    value = "${env:ACME_KEY}"
    assert written("{click_id} {now|date}", {"click_id": value}) == f"{value} 2026-01-02"
    assert written("{click_id|hmac_sha256:${env:ACME_KEY}}", {"click_id": value}) == signature(value)


def test_a_secret_that_reads_like_a_reference_is_not_resolved_again() -> None:
    request = render(url=f"{HOST}/?x=${{env:A}}")
    assert finish(request, attempt=1, now=NOW, secret=lambda _: "${env:A}").url == f"{HOST}/?x=%24%7Benv%3AA%7D"


def test_a_secret_in_place_of_a_number_is_an_error() -> None:
    assert "places" in error(url=f"{HOST}/?x={{revenue|fixed:${{env:N}}}}").message


def test_raw_on_a_secret_keeps_what_is_legal() -> None:
    assert finished({}, FIELDS, url=f"{HOST}/?{{partner.key|raw}}").url == f"{HOST}/?s3cr&t/%C3%A9"


@pytest.mark.parametrize("secret", ["a\r\nb", "a\nX: y", "\x00"])
def test_a_secret_with_a_line_break_never_reaches_a_header_and_is_not_told(secret: str) -> None:
    request = render(headers={"X-Key": "${env:ACME_KEY}"})
    with pytest.raises(Unrenderable) as raised:
        finish(request, attempt=1, now=NOW, secret=lambda _: secret)
    assert secret not in str(raised.value)


def test_a_secret_cannot_make_a_dot_segment() -> None:
    request = render(url=f"{HOST}/a/${{env:ACME_KEY}}/b")
    with pytest.raises(Unrenderable):
        finish(request, attempt=1, now=NOW, secret=lambda _: "..")


def test_what_the_secret_source_raises_is_passed_on() -> None:
    request = render(url=f"{HOST}/?x=${{env:MISSING}}")
    with pytest.raises(KeyError):
        finish(request, attempt=1, now=NOW, secret={}.__getitem__)


def test_a_finished_request_does_not_show_its_secrets() -> None:
    assert KEY not in repr(finished(headers={"X-Key": "${env:ACME_KEY}"}))


def test_a_captured_value_is_text_and_stands_in_the_job_as_such() -> None:
    request = render({"click_id": "C"}, url=f"{HOST}/?x={HMAC}")
    assert request.url[1] == Deferred("value", "c", (("hmac_sha256", "${env:ACME_KEY}"),), "query")
    assert isinstance(request, Request)


@pytest.mark.parametrize("field", ["${env:ACME_KEY", "x ${env:1}"])
def test_a_field_of_the_partner_with_a_reference_that_is_none_is_an_error(field: str) -> None:
    assert "the partner's field 'key'" in error({"key": field}, url=f"{HOST}/?x={{partner.key}}").message
