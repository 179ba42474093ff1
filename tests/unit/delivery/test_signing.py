"""Signatures after Standard Webhooks, beside the standard's own library."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from streams.delivery import signing
from streams.templates.finish import Finished

NOW = 1_760_000_000_999
#: A secret from the standard's own examples, and one without the prefix.
ENCODED = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RAW = "plain text, as it stands ü"
SECRETS = {"env:NEW": ENCODED, "env:OLD": RAW, "env:BAD": "whsec_%%%", "env:NONE": "whsec_"}


def request(body: bytes | None = b'{"a":1}', headers: list[tuple[str, str]] | None = None) -> Finished:
    return Finished("POST", "https://x.example/?a=%2C", headers or [("X-Own", "1")], body)


def signed(one: Finished, *references: str, job_id: str = "job-1", now: int = NOW) -> Finished:
    secrets = [f"${{{reference}}}" for reference in references]
    return signing.signed(one, job_id, now, secrets, SECRETS.__getitem__)


def verify(secret: str | bytes, one: Finished) -> None:
    Webhook(secret).verify(one.body or b"", dict(one.headers), json_parse=False)


def test_the_signature_is_that_of_the_standards_example() -> None:
    """From the test of the standard's libraries: this secret, id, time and payload give this signature."""
    one = signed(
        request(b'{"test": 2432232314}'), "env:NEW", job_id="msg_p5jXN8AQM9LWM0D4loKWxJek", now=1_614_265_330_000
    )
    assert one.headers[1:] == [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]


@given(st.text(max_size=200))
def test_the_standards_library_takes_what_either_secret_signed(text: str) -> None:
    now = int(time.time() * 1000)
    one = signed(request(text.encode("utf-8", "replace")), "env:NEW", "env:OLD", now=now)
    verify(ENCODED, one)
    verify(RAW.encode(), one)
    with pytest.raises(WebhookVerificationError):
        verify(b"another", one)
    with pytest.raises(WebhookVerificationError):
        verify(ENCODED, Finished(one.method, one.url, one.headers, (one.body or b"") + b" "))


def test_a_request_without_a_body_is_signed_as_an_empty_one() -> None:
    one = signed(request(None), "env:NEW", now=int(time.time() * 1000))
    assert one.body is None
    verify(ENCODED, one)


def test_nothing_but_the_headers_is_changed() -> None:
    before = request(b"\xff\x00 any bytes")
    one = signed(before, "env:NEW")
    assert (one.method, one.url, one.body) == (before.method, before.url, before.body)
    assert one.headers[0] == ("X-Own", "1")


def test_a_header_of_the_template_cannot_stand_beside_the_signature() -> None:
    one = signed(request(headers=[("Webhook-Signature", "v1,forged"), ("WEBHOOK-ID", "x")]), "env:NEW")
    assert [name for name, _ in one.headers] == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    assert "forged" not in str(one.headers)


def test_an_encoded_secret_may_lack_its_padding() -> None:
    encoded = base64.b64encode(b"0123456789").decode()
    assert encoded.endswith("==")
    values = {"env:PADDED": f"whsec_{encoded}", "env:BARE": f"whsec_{encoded.rstrip('=')}"}
    for name in values:
        assert signing.key(f"${{{name}}}", values.__getitem__) == b"0123456789"


@pytest.mark.parametrize("name", ["env:BAD", "env:NONE"])
def test_a_value_that_is_no_key_is_told_by_its_reference_only(name: str) -> None:
    with pytest.raises(signing.Unusable) as caught:
        signed(request(), name)
    assert caught.value.reference == name
    assert "%%%" not in str(caught.value)


def test_people_see_the_reference_in_place_of_the_signature() -> None:
    one = signing.masked(request(), "job-1", NOW, ["${env:NEW}", "${file:/run/old}"])
    assert one.headers[1:] == [
        ("webhook-id", "job-1"),
        ("webhook-timestamp", "1760000000"),
        ("webhook-signature", "v1,{hmac_sha256:${env:NEW}} v1,{hmac_sha256:${file:/run/old}}"),
    ]
