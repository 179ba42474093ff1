"""Which secrets requests need, and whether this environment has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.config import App, Configuration, Endpoint, Parameter, Partner, Postback
from streams.doctor import setup
from streams.doctor.findings import Finding
from streams.doctor.site import Site


def postback(name: str, partner: str, url: str = "https://x.example/", **more: Any) -> Postback:
    endpoint = Endpoint(url=url, **{key: more.pop(key) for key in ("parameters", "headers", "body") if key in more})
    return Postback(id=name, title=name, app="game", partner=partner, event="install", endpoint=endpoint, **more)


def site(*postbacks: Postback, **partners: dict[str, str]) -> Site:
    app = App(id="game", project="p", platform="android", bundle_id="game", device_key=("google_aid",))
    configuration = Configuration(
        generation=1,
        sources=(),
        apps=(app,),
        partners=tuple(Partner(id=name, name=name, fields=fields) for name, fields in partners.items()),
        postbacks=postbacks,
    )
    return Site(1.0, found_configuration=configuration, found_admin=object())  # type: ignore[arg-type]


def test_references_are_found_wherever_a_request_may_have_them() -> None:
    live = site(
        postback("a", "acme", parameters=(Parameter(name="k", value="${env:IN_QUERY}"),)),
        postback(
            "b", "acme", headers={"X": "Bearer ${file:/run/in header}"}, body={"list": [{"key": "${env:IN_BODY}"}]}
        ),
        postback("c", "acme", url="https://x.example/{install_timestamp|hmac_sha256:${env:IN_MODIFIER}}"),
        acme={"app_key": "${env:IN_FIELD}"},
    ).configuration
    assert setup.needed(live) == {
        "env:IN_FIELD": ["partner acme"],
        "env:IN_QUERY": ["postback a"],
        "file:/run/in header": ["postback b"],
        "env:IN_BODY": ["postback b"],
        "env:IN_MODIFIER": ["postback c"],
    }


def test_the_secrets_that_requests_are_signed_with_are_needed() -> None:
    live = site(postback("a", "acme"), acme={}).configuration
    (partner,) = live.partners
    signs = msgspec.structs.replace(partner, signing_secrets=("${env:NEW}", "${env:OLD}"))
    assert list(setup.needed(msgspec.structs.replace(live, partners=(signs,)))) == ["env:NEW", "env:OLD"]


def test_what_is_never_sent_needs_no_secret() -> None:
    live = site(
        postback("a", "acme", url="https://x.example/${env:NO}", status="paused"),
        postback("b", "acme", status="shadow"),
        acme={"app_key": "${env:NO}"},
        other={"app_key": "${env:NO}"},
    ).configuration
    assert setup.needed(live) == {}


def test_a_reference_without_a_value_is_a_warning_that_names_who_needs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    monkeypatch.setenv("RINGBACK_TEST_SET", "hunter2")
    monkeypatch.delenv("RINGBACK_TEST_UNSET", raising=False)
    here = site(
        postback("a", "acme", url=f"https://x.example/${{env:RINGBACK_TEST_SET}}${{file:{tmp_path / 'key'}}}"),
        acme={"app_key": "${env:RINGBACK_TEST_UNSET}"},
    )
    (found,) = setup.secrets(here)
    assert found == Finding(
        "warning",
        "no value for ${env:RINGBACK_TEST_UNSET} here, which is needed by partner acme",
        "on the senders' machines: export RINGBACK_TEST_UNSET; without it these postbacks wait",
    )
    monkeypatch.setenv("RINGBACK_TEST_UNSET", "hunter2")
    assert list(setup.secrets(here)) == [("ok", "all 3 have a value", "")]
    alone = site(postback("a", "acme", url="https://x.example/${env:RINGBACK_TEST_SET}"), acme={})
    assert list(setup.secrets(alone)) == [("ok", "the one that is needed has a value", "")]
