"""What has run out on this machine is no failure of the partner: no attempt is charged (D18, D26)."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from streams.delivery.egress import Guard
from streams.delivery.wire import HttpWire
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.sending import Bench, configuration, job_for, partner_named, sending
from tests.support.talking import EMPTY, a_wire, answering, get
from tests.support.waiting import eventually_async

ROOT = Path(__file__).parents[2]
PLENTY = 5_000
#: Linux 6.3: from which ports a socket may choose its own, the upper one in the higher half.
IP_LOCAL_PORT_RANGE = 51


async def test_without_file_descriptors_nothing_is_charged_and_connections_that_wait_are_given_up() -> None:
    async with Partner() as partner, Partner() as other:
        starved = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.starved", str(partner.port), str(other.port)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await asyncio.wait_for(starved.communicate(), 60)
        assert (partner.count, other.count) == (2, 1)
    found = json.loads(said)
    assert found["before"] == ["answer", None, False]
    assert found["used before"] == ["answer", None, True]
    assert found["a name"][0] == found["another"][0] == "ours", found
    assert found["given back"] >= 1
    assert found["another"][1] == "resources: EMFILE"
    assert found["after"] == ["answer", None, False]
    assert found["a name after"][0] in ("failure", "ours"), "a network that has no resolver says that it is down"


class OnePort(Guard):
    """Sockets that may choose their own port from a range of one."""

    def __init__(self, port: int) -> None:
        super().__init__(["127.0.0.0/8"])
        self._port = port

    def socket_factory(self, info: tuple[Any, ...]) -> socket.socket:
        made = super().socket_factory(info)
        made.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("I", self._port << 16 | self._port))
        return made


async def test_without_ports_nothing_is_charged() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        starved = OnePort(taken.getsockname()[1])
        try:
            starved.socket_factory((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))).close()
        except OSError:
            pytest.skip("this kernel does not know IP_LOCAL_PORT_RANGE")
        async with answering(EMPTY) as asked, a_wire(starved) as wire:
            outcome = await wire.send(get(asked.url()), PLENTY)
    assert (outcome.kind, outcome.error) == ("ours", "resources: EADDRNOTAVAIL")
    assert asked.requests == []


class Exhausted(Guard):
    """No socket is to be had."""

    def socket_factory(self, info: tuple[Any, ...]) -> socket.socket:
        raise OSError(errno.EMFILE, "no more")


async def test_a_name_stays_known_while_what_has_run_out_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[object] = []

    def noted(host: str, *_: object) -> object:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    async with a_wire(Exhausted()) as wire:
        outcomes = [await wire.send(get("http://name.example/"), PLENTY) for _ in range(3)]
    assert [(one.kind, one.error) for one in outcomes] == [("ours", "resources: EMFILE")] * 3
    assert looked_up == ["name.example"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), "failure"),
        (socket.gaierror(socket.EAI_AGAIN, "no"), "ours"),
        (socket.gaierror(socket.EAI_MEMORY, "no"), "ours"),
        # What the C library calls EAI_SYSTEM reaches Python as any error of the system.
        (OSError(errno.EINVAL, "no"), "ours"),
        (OSError(errno.EMFILE, "no"), "ours"),
    ],
    ids=lambda value: repr(value),
)
async def test_a_name_that_does_not_exist_is_a_failure_and_a_resolver_that_is_down_is_ours(
    wire: HttpWire, error: OSError, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> object:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    outcome = await wire.send(get("http://name.example/"), PLENTY)
    assert outcome.kind == kind
    assert (outcome.error or "").startswith("dns: " if kind == "failure" else "resolver: ")


async def test_a_job_that_could_not_be_sent_for_want_of_a_resolver_has_lost_no_attempt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the whole sender."""
    bench = Bench(settings)
    bench.create()
    bench.configure(configuration([partner_named()]))
    real, refused = socket.getaddrinfo, list[object]()

    def down_twice(host: str, *rest: Any) -> Any:
        if host != "acme.example":
            return real(host, *rest)
        if len(refused) < 2:
            refused.append(host)
            raise socket.gaierror(socket.EAI_AGAIN, "down")
        return real("127.0.0.1", *rest)

    monkeypatch.setattr(socket, "getaddrinfo", down_twice)
    async with Partner() as partner, sending(settings):
        bench.decide([job_for(f"http://acme.example:{partner.port}/i", retry_attempts=0)])
        await eventually_async(lambda: asyncio.to_thread(bench.terminal), within=30)
    assert len(refused) == 2
    told = [(receipt.kind, receipt.outcome, receipt.attempt) for receipt in bench.receipts()]
    assert told == [("attempt", "delivered", 1), ("terminal", "delivered", 1)]
