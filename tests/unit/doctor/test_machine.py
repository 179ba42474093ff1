"""Whoever has the port of the probes may speak anything, and a port may be refused for several reasons."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.doctor import machine
from streams.doctor.findings import Finding
from streams.doctor.site import Site
from streams.settings import Settings


@contextmanager
def answering(text: bytes) -> Iterator[int]:
    """A program that says this to everybody and hangs up; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    connection.recv(65_536)
                    connection.sendall(text)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def look(host: str = "127.0.0.1", port: int = 0, sender: int = 0) -> list[Finding]:
    settings = Settings(metrics_host=host, metrics_port=port, sender_metrics_port=sender)
    return list(machine.ports(Site(1.0, found_settings=settings)))


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff[",
        b"",
    ],
)
def test_a_stranger_on_the_port_is_named_and_the_other_port_is_looked_at(text: bytes) -> None:
    with answering(text) as port:
        worker, sender = look(port=port)
    assert worker.verdict == "wrong"
    assert worker.found == f"worker: 127.0.0.1:{port} cannot be opened: Address already in use"
    assert worker.remedy.startswith("end the program that has it, or choose another RINGBACK_METRICS_PORT")
    assert sender.found == "sender: any that is free (RINGBACK_SENDER_METRICS_PORT=0)"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70])
def test_a_host_that_has_no_address_is_the_hosts_fault(host: str) -> None:
    found = look(host=host, port=1)[0]
    assert found == ("wrong", f"worker: {host}:1 cannot be opened: no address is known for this name", machine.HOST)


def test_an_address_of_another_machine_is_the_hosts_fault() -> None:
    found = look(host="192.0.2.1", port=1)[0]
    assert "Cannot assign requested address" in found.found
    assert found.remedy == machine.HOST


def test_a_port_that_needs_a_right_is_not_somebody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(host: str, port: int) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    # Tests may run as root, who has the right.
    monkeypatch.setattr(machine, "_bind", refused)
    found = look(port=1)[0]
    assert found.found == "worker: 127.0.0.1:1 cannot be opened: Permission denied"
    assert found.remedy == "choose another RINGBACK_METRICS_PORT, from 1024 on, or give this user the right to open it"
