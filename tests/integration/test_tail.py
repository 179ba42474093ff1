"""`ringback tail` shows the receipts that are there, in order and through filters, and follows what comes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.processes import as_a_terminal_starts, environment
from tests.support.sending import Bench, configuration, partner_named, postback_named
from tests.support.topics import Sent
from tests.support.waiting import eventually
from tests.unit.tail.test_tail import receipt

__all__ = ["ringback"]

NOW = int(time.time() * 1000)


def encoded(number: int, **more: object) -> bytes:
    """A receipt of the job `number`, which ended `number` seconds after an hour ago."""
    return msgspec.json.encode(receipt(job_id=f"job-{number}", at=NOW - 3_600_000 + 1_000 * number, **more))


class Tail:
    """`ringback tail` as a process, and the lines that it has written."""

    def __init__(self, settings: Settings, *arguments: str) -> None:
        with as_a_terminal_starts():
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from streams.cli.entry import main; main()", "tail", *arguments],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(settings),
            )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.lines: list[bytes] = []
        self.notes: list[bytes] = []
        for stream, kept in ((self.process.stdout, self.lines), (self.process.stderr, self.notes)):
            threading.Thread(target=lambda s=stream, k=kept: k.extend(s), daemon=True).start()


@contextmanager
def tailing(settings: Settings, *arguments: str) -> Iterator[Tail]:
    tail = Tail(settings, *arguments)
    try:
        yield tail
    finally:
        tail.process.kill()
        tail.process.wait()


def jobs(lines: list[bytes] | str) -> list[str]:
    """The jobs of lines of JSON."""
    found = lines.encode().splitlines() if isinstance(lines, str) else lines
    return [msgspec.json.decode(line)["job_id"] for line in found]


@pytest.fixture
def bench(settings: Settings) -> Bench:
    made = Bench(settings)
    made.create()
    return made


def aborted(settings: Settings, topic: str) -> None:
    """Write a receipt that nobody is to see."""
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, encoded(99), partition=0)
    producer.flush()
    producer.abort_transaction()


def test_what_is_there_comes_in_order_whole_and_filtered(bench: Bench, settings: Settings, ringback: Run) -> None:
    bench.configure(configuration([partner_named(aliases=("acme ads",))], [postback_named()]))
    topic = bench.topics.receipts
    values = [
        encoded(n, outcome="delivered" if n % 2 else "failed", status=200 if n % 2 else 503, record_id=f"r{n // 10}")
        for n in range(40)
    ]
    bench.write(topic, [Sent(value, b"k", n % 4, NOW - 3_600_000 + 1_000 * n) for n, value in enumerate(values)])
    aborted(settings, topic)
    status, said, _ = ringback("tail", "--no-follow", "--format", "json")
    assert (status, said.encode()) == (0, b"".join(value + b"\n" for value in values))
    everything = [f"job-{n}" for n in range(40)]
    asked = {
        ("-n", "3"): everything[-3:],
        ("-n", "3", "--status", "5xx"): ["job-34", "job-36", "job-38"],
        ("-n", "3", "--status", "404,5xx"): ["job-34", "job-36", "job-38"],
        ("-n", "0"): [],
        ("-n", "100"): everything,
        ("--no-follow", "--partner", "acme ads", "--outcome", "delivered"): everything[1::2],
        ("--no-follow", "--job", "job-7", "--job", "job-8"): ["job-7", "job-8"],
        ("--no-follow", "--record", "r1"): everything[10:20],
        ("--no-follow", "--kind", "terminal"): [],
        ("--no-follow", "--since", str((NOW - 3_600_000 + 30_000) / 1000)): everything[30:],
        ("--no-follow", "--since", "1s"): [],
        ("--no-follow", "--since", "2001-01-02"): everything,
        ("--no-follow", "--since", "2999-12-31"): [],
    }
    for arguments, wanted in asked.items():
        status, said, _ = ringback("tail", "--format", "json", *arguments)
        assert (arguments, status, jobs(said)) == (arguments, 0, wanted)
    status, said, notes = ringback(
        "tail", "-n", "2", "--ids", "--postback", "acme-instal", "--postback", "acme-install"
    )
    assert "did you mean acme-install?" in notes
    assert [line.split()[1:8] for line in said.splitlines()] == [
        ["attempt", "1", "failed", "acme", "acme-install", "install", "503"],
        ["attempt", "1", "delivered", "acme", "acme-install", "install", "200"],
    ]
    assert said.endswith("record r3, job job-39\n")
    for wrong in (["--status", "x"], ["--outcome", "lost"], ["--kind", "all"], ["--since", "noon"]):
        assert ringback("tail", *wrong)[0] == 2


def test_what_a_partner_answers_moves_no_cursor(bench: Bench, settings: Settings, ringback: Run) -> None:
    hostile = "\x1b[2J\x1b]0;owned\x07\r\n\u202e<script>alert(1)</script>"
    bench.write(bench.topics.receipts, [Sent(encoded(0, error=hostile, response=hostile, partner="a\x1b[1m"), b"k", 0)])
    status, said, notes = ringback("tail", "--no-follow", "--ids")
    assert (status, len(said.splitlines())) == (0, 1)
    assert all(one.isprintable() for one in (said + notes).replace("\n", ""))
    # Lines for programs are as they lie in the topic.
    status, said, notes = ringback("tail", "--no-follow", "--format", "json")
    assert (status, len(said.splitlines())) == (0, 1)
    assert all(one >= " " for one in (said + notes).replace("\n", ""))


@pytest.mark.timeout(120)
def test_what_comes_is_followed_also_over_a_restart_of_the_broker(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "kafka") as broker:
        settings = Settings(bootstrap_servers=broker.bootstrap, topic_prefix="tail.", partitions=2)
        bench = Bench(settings)
        bench.create()
        topic = bench.topics.receipts
        bench.write(topic, [Sent(encoded(0), b"k", 0), Sent(b"no receipt", b"k", 1)])
        with (
            tailing(settings, "--since", "2h", "--format", "json") as tail,
            tailing(settings, "--since", "2h", "--outcome", "failed") as stopped,
        ):
            eventually(lambda: tail.lines and stopped.lines, within=30)
            bench.write(topic, [Sent(encoded(n), b"k", n % 2) for n in (1, 2)])
            eventually(lambda: len(tail.lines) == len(stopped.lines) == 3)
            assert tail.lines == [encoded(n) + b"\n" for n in range(3)]
            assert b"partition 1, offset 0" in tail.notes[0]

            stopped.process.send_signal(signal.SIGINT)
            assert stopped.process.wait(15) == 130
            eventually(lambda: len(stopped.notes) == 1)
            assert len(stopped.lines) == 3

            broker.restart()
            bench.write(topic, [Sent(encoded(3), b"k", 0)])
            eventually(lambda: len(tail.lines) == 4, within=30)
            assert jobs(tail.lines) == [f"job-{n}" for n in range(4)]
            tail.process.send_signal(signal.SIGINT)
            assert tail.process.wait(15) == 130


def test_a_pipe_that_closes_ends_it_quietly(bench: Bench, settings: Settings) -> None:
    bench.write(bench.topics.receipts, [Sent(encoded(n), b"k", 0) for n in range(2_000)])
    process = subprocess.Popen(
        [sys.executable, "-c", "from streams.cli.entry import main; main()", "tail", "--since", "2h"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(settings),
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        bench.write(bench.topics.receipts, [Sent(encoded(n), b"k", 0) for n in range(2_000)])
        assert process.wait(30) == 0
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait()
