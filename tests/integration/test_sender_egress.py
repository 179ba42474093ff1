"""Only public addresses are dialled, however they are written and whatever a name becomes (D17)."""

from __future__ import annotations

import socket

import pytest

from streams.delivery.egress import Guard
from streams.local.partner import Partner
from tests.support.talking import LOOPBACK, a_wire, get

PLENTY = 3_000
LITERALS = [
    "127.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "0.0.0.0",
    "10.0.0.1",
    "0xa.1",
    "192.168.257",
    "100.64.0.1",
    "169.254.169.254",
    "2852039166",
    "[fe80::1]",
    "[fd00::1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::]",
]
#: What a name may resolve to, as `getaddrinfo` gives it.
ADDRESSES = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fe80::1", "2002:7f00:1::"]


def info(address: str, port: int) -> tuple[object, ...]:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """To whom any socket of this process was connected."""
    dialled: list[object] = []
    real = socket.socket.connect

    def noted(self: socket.socket, to: object) -> None:
        dialled.append(to)
        real(self, to)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", noted)
    return dialled


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", [*LITERALS, "localhost", "LOCALHOST"])
async def test_nothing_but_public_addresses_is_dialled(host: str, scheme: str, connected: list[object]) -> None:
    async with a_wire(Guard()) as wire:
        outcome = await wire.send(get(f"{scheme}://{host}:9/i"), PLENTY)
    assert outcome.kind == "blocked", outcome
    assert (outcome.error or "").startswith("blocked: ")
    assert not connected


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_leads_nowhere_else_than_its_address(
    address: str, connected: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, *_: [info(address, port)] * 2)
    async with a_wire(Guard()) as wire:
        outcome = await wire.send(get("http://inside.example:9/i"), PLENTY)
    assert (outcome.kind, outcome.error) == ("blocked", f"blocked: {address}")
    assert not connected


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_that_changes_between_check_and_use_is_judged_by_the_socket(
    address: str, connected: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["93.184.216.34", address])

    def rebinding(host: str, port: int, *_: object) -> list[tuple[object, ...]]:
        return [info(next(answers), port)]

    # Whoever looked before, as a check of the URL would, has seen a public address.
    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert Guard().permits(str(socket.getaddrinfo("rebinding.example", 80)[0][4][0]))
    async with a_wire(Guard()) as wire:
        outcome = await wire.send(get("http://rebinding.example/i"), PLENTY)
    assert (outcome.kind, outcome.error) == ("blocked", f"blocked: {address}")
    assert not connected


async def test_of_several_addresses_only_the_permitted_ones_are_dialled(
    connected: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Partner() as partner:
        both = [info("10.0.0.1", partner.port), info("127.0.0.1", partner.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: both)
        async with a_wire(LOOPBACK) as wire:
            outcome = await wire.send(get("http://several.example/i"), PLENTY)
    assert (outcome.status, connected) == (200, [("127.0.0.1", partner.port)])


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]"])
async def test_an_address_that_is_permitted_is_dialled_in_every_writing(host: str) -> None:
    async with Partner() as partner, a_wire(LOOPBACK) as wire:
        outcome = await wire.send(get(f"http://{host}:{partner.port}/i"), PLENTY)
    assert outcome.status == 200
    assert partner.requests[0].header("Host") == f"{host}:{partner.port}"
