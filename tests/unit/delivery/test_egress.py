"""Which addresses may be dialled (D17)."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.egress import Blocked, Guard

CLOSED = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00::1",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "100::1",
]
OPEN = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", CLOSED)
def test_what_is_not_public_is_blocked(address: str) -> None:
    assert not Guard().permits(address)


@pytest.mark.parametrize("address", OPEN)
def test_what_is_public_is_permitted(address: str) -> None:
    assert Guard().permits(address)


@given(st.ip_addresses())
def test_what_the_standard_library_knows_as_private_is_blocked(address: object) -> None:
    one = ipaddress.ip_address(str(address))
    if one.is_private or one.is_loopback or one.is_link_local or one.is_multicast or one.is_reserved:
        mapped = getattr(one, "ipv4_mapped", None)
        assert (
            not Guard().permits(str(one))
            or (mapped is not None and mapped.is_global)
            or str(one).startswith("64:ff9b::")
        )


def test_an_operator_may_allow_networks_in_every_form() -> None:
    guard = Guard(["127.0.0.0/8", "fd00::/16"])
    assert guard.permits("127.0.0.1")
    assert guard.permits("::ffff:127.0.0.1")
    assert guard.permits("fd00::5")
    assert not guard.permits("10.0.0.1")
    assert not guard.permits("::1")


def test_what_is_no_address_is_blocked() -> None:
    assert not Guard().permits("localhost")


def test_no_socket_is_made_for_a_blocked_address() -> None:
    with pytest.raises(Blocked, match=r"169\.254\.169\.254"):
        Guard().socket_factory((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80)))
    made = Guard(["127.0.0.0/8"]).socket_factory((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
    made.close()
