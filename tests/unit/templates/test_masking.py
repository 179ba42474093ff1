"""A request that is shown without its secrets."""

from __future__ import annotations

from typing import Any

import pytest

from streams.templates import masking
from streams.templates.finish import finish
from tests.unit.templates.rendering import HOST, NOW, SECRETS, finished, parameters, render

FIELDS = {"key": "${env:ACME_KEY}", "mixed": "a-${env:OTHER}-z", "plain": "p"}


def never(reference: str) -> str:
    raise AssertionError(f"{reference} was asked for")


def shown(values: dict[str, Any] | None = None, **endpoint: Any) -> tuple[str, dict[str, str], str]:
    """URL, headers and body as they are shown; no secret is asked for."""
    masked = masking.mask(render(values or {"click_id": "c/1"}, FIELDS, **endpoint))
    done = finish(masked.request, attempt=2, now=NOW, secret=never)
    body = (done.body or b"").decode()
    return (
        masking.unmask(done.url, masked.shown),
        {name: masking.unmask(value, masked.shown) for name, value in done.headers},
        masking.unmask(body, masked.shown),
    )


def test_a_secret_is_shown_as_its_reference_wherever_it_stands() -> None:
    url, headers, body = shown(
        url=f"{HOST}/{{partner.key}}?x=${{env:ACME_KEY}}&c={{click_id}}&n={{attempt}}",
        headers={"Authorization": "Bearer ${file:/run/secrets/acme}", "X-Mixed": "{partner.mixed}"},
        method="POST",
        body={"a": "{partner.key}", "b": "x ${env:ACME_KEY}", "c": "{click_id}", "d": "{partner.plain}"},
    )
    assert url == f"{HOST}/${{env:ACME_KEY}}?x=${{env:ACME_KEY}}&c=c%2F1&n=2"
    assert headers["Authorization"] == "Bearer ${file:/run/secrets/acme}"
    assert headers["X-Mixed"] == "a-${env:OTHER}-z"
    assert body == '{"a":"${env:ACME_KEY}","b":"x ${env:ACME_KEY}","c":"c/1","d":"p"}'


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{partner.key|sha256}", "{${env:ACME_KEY}|sha256}"),
        ("{partner.key|lower|md5}", "{${env:ACME_KEY}|lower|md5}"),
        ("{click_id|hmac_sha256:${env:ACME_KEY}}", "{c/1|hmac_sha256:${env:ACME_KEY}}"),
        ("{click_id|upper|hmac_sha256:${env:ACME_KEY}|upper}", "{C/1|hmac_sha256:${env:ACME_KEY}|upper}"),
        ("{now|unix|hmac_sha256:${env:ACME_KEY}}", "{now|unix|hmac_sha256:${env:ACME_KEY}}"),
        ("{user_id|default:${env:OTHER}}", "${env:OTHER}"),
        ("{partner.key|raw}", "${env:ACME_KEY}"),
    ],
)
def test_what_is_computed_from_a_secret_is_shown_as_that(template: str, text: str) -> None:
    url, _, body = shown(
        url=f"{HOST}/i?s={template}", parameters=parameters(("p", template)), method="POST", body={"s": template}
    )
    assert url == f"{HOST}/i?s={text}&p={text}"
    assert body == f'{{"s":"{text}"}}'


def test_a_number_of_a_secret_is_shown_as_a_number_in_json() -> None:
    assert shown(method="POST", body={"n": "{params.n|default:${env:OTHER}|int}"})[2] == '{"n":{${env:OTHER}|int}}'


def test_no_secret_is_in_what_is_shown_and_without_secrets_nothing_is_changed() -> None:
    endpoint: dict[str, Any] = {"url": f"{HOST}/?c={{click_id}}&n={{now}}", "method": "POST", "body": "é {click_id}"}
    masked = masking.mask(render({"click_id": "c"}, FIELDS, **endpoint))
    assert masked.shown == {}
    assert finish(masked.request, attempt=2, now=NOW, secret=never) == finished({"click_id": "c"}, FIELDS, **endpoint)
    url, headers, body = shown(
        url=f"{HOST}/?x={{partner.mixed}}", headers={"X": "{partner.key}"}, method="POST", body="x"
    )
    assert not any(secret in f"{url} {headers} {body}" for secret in SECRETS.values())


def test_a_value_that_reads_like_the_word_for_a_secret_stays() -> None:
    url, _, _ = shown({"click_id": "secret0s SECRETx0s"}, url=f"{HOST}/?c={{click_id}}&k={{partner.key}}")
    assert url == f"{HOST}/?c=secret0s%20SECRETx0s&k=${{env:ACME_KEY}}"


def test_ten_secrets_are_not_confused() -> None:
    url, _, _ = shown(url=f"{HOST}/?" + "&".join(f"k=${{env:K{number}}}" for number in range(12)))
    assert url == f"{HOST}/?" + "&".join(f"k=${{env:K{number}}}" for number in range(12))


def test_the_references_that_are_left_out_are_told_once_each() -> None:
    masked = masking.mask(render({}, FIELDS, url=f"{HOST}/?a={{partner.key}}&b={{partner.mixed}}&c={{partner.key}}"))
    assert masked.hidden == ("${env:ACME_KEY}", "${env:OTHER}")


def test_a_value_that_reads_like_a_reference_is_none() -> None:
    values = {"click_id": "${env:HOME}"}
    masked = masking.mask(
        render(values, FIELDS, url=f"{HOST}/?a={{click_id|hmac_sha256:${{env:OTHER}}}}&b={{click_id}}")
    )
    assert masked.hidden == ("${env:OTHER}",)
