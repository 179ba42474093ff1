"""Postbacks that call an address which the senders' guard refuses are told before the first job is suppressed."""

from __future__ import annotations

import ipaddress

import pytest

from schemas.config import Endpoint, Postback
from streams.delivery.egress import Guard
from streams.doctor import egress


def postback(name: str, url: str, status: str = "active") -> Postback:
    return Postback(
        id=name,
        title=name,
        app="game",
        partner="acme",
        event="install",
        endpoint=Endpoint(url=url),
        status=status,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("url", "address", "network"),
    [
        ("http://127.0.0.1:8080/x?a={click_id}", "127.0.0.1", "127.0.0.0/8"),
        ("HTTP://LocalHost/", "127.0.0.1", "127.0.0.0/8"),
        ("http://api.localhost.:80", "127.0.0.1", "127.0.0.0/8"),
        ("http://2130706433/", "127.0.0.1", "127.0.0.0/8"),
        ("http://0x7f000001?x", "127.0.0.1", "127.0.0.0/8"),
        ("http://127.1/", "127.0.0.1", "127.0.0.0/8"),
        ("https://10.0.0.5/", "10.0.0.5", "10.0.0.5/32"),
        ("https://[::1]:8443/", "::1", "::1/128"),
        ("https://[fe80::1%25eth0]/", "fe80::1", "fe80::1/128"),
        ("https://[::ffff:10.0.0.5]/", str(ipaddress.ip_address("::ffff:10.0.0.5")), "10.0.0.5/32"),
        ("https://[64:ff9b::a00:5]/", "64:ff9b::a00:5", "10.0.0.5/32"),
    ],
)
def test_an_address_that_is_refused_in_every_form_of_it(url: str, address: str, network: str) -> None:
    (found,) = egress.findings([postback("whale-checkout", url)], ())
    assert found.verdict == "warning"
    assert found.found == (
        f"postback whale-checkout calls {address}, which is not public and not in RINGBACK_EGRESS_ALLOW here; its jobs "
        "end as suppressed"
    )
    assert found.remedy.startswith(f"on the senders' machines: export RINGBACK_EGRESS_ALLOW={network} ")
    assert not Guard(()).permits(egress.written(url)[0])
    (allowed,) = egress.findings([postback("whale-checkout", url)], (network,))
    assert (allowed.verdict, allowed.found) == ("ok", "1 postback calls an address without a name, none is refused")


@pytest.mark.parametrize(
    "url",
    ["https://partner.example/127.0.0.1", "https://localhost.example/", "https://8.8.8.8/", "https://[2606:4700::1]/"],
)
def test_names_and_public_addresses_are_not_looked_up_or_told(url: str) -> None:
    assert [one.verdict for one in egress.findings([postback("a", url)], ())] == ["ok"]


def test_postbacks_are_grouped_by_address_and_one_setting_allows_all_that_are_active() -> None:
    asked = [
        postback("a", "http://10.0.0.5/"),
        postback("b", "http://127.0.0.1:1/"),
        postback("c", "http://localhost:2/"),
        postback("d", "http://10.0.0.6/", status="paused"),
        postback("e", "http://10.0.0.7/", status="shadow"),
        postback("f", "http://192.168.1.1/"),
    ]
    first, second = egress.findings(asked, ("192.168.0.0/16",))
    assert first.found.startswith("postback a calls 10.0.0.5, ")
    assert second.found.startswith("postbacks b, c call 127.0.0.1, ")
    assert "their jobs end as suppressed" in second.found
    export = "export RINGBACK_EGRESS_ALLOW=192.168.0.0/16,10.0.0.5/32,127.0.0.0/8 "
    assert export in first.remedy
    assert export in second.remedy


def test_without_any_such_address_it_says_so() -> None:
    (found,) = egress.findings([postback("a", "https://partner.example/")], ())
    assert found == ("ok", "no postbacks call an address without a name", "")
