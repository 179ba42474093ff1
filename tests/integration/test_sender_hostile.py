"""Each request has one end, whatever happens at the same time, and leaves nothing behind (D10–D12, D18, D26)."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams import kafka
from streams.clock import ManualClock
from streams.delivery.attempts import Attempts, Over, Parts
from streams.delivery.held import Held
from streams.delivery.lanes import Lane, LaneLimits
from streams.delivery.offsets import Tracker
from streams.delivery.outcome import Outcome
from streams.delivery.settling import Settling, Source
from streams.delivery.tallies import Tallies
from streams.delivery.tiers import Tiers
from streams.delivery.wire import HttpWire, Sending
from streams.metrics import Metrics
from tests.support.sending import job_for, partner_named
from tests.support.talking import (
    EMPTY,
    HEAD,
    Server,
    Way,
    a_wire,
    answering,
    get,
    says,
    server,
    whole_request,
)
from tests.support.waiting import eventually_async

ROOT = Path(__file__).parents[2]
PLENTY = 5_000


class Told(list[Outcome]):
    """What `over` was called with."""

    def begin(self, wire: HttpWire, url: str, timeout_ms: int = PLENTY) -> Sending | None:
        return wire.begin(get(url), timeout_ms, self.append)


def descriptors() -> int:
    """How many this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@contextmanager
def never_accepting() -> Iterator[str]:
    """A URL to which no connection is ever made."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}/i"
        for filler in fillers:
            filler.close()


@contextmanager
def never_agreeing() -> Iterator[str]:
    """A URL where nobody says anything on TLS."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        yield f"https://127.0.0.1:{silent.getsockname()[1]}/i"


@contextmanager
def several_that_never_accept() -> Iterator[str]:
    """A name with two addresses, of which none takes connections."""
    with never_accepting() as url, pytest.MonkeyPatch.context() as patch:
        port = int(url.rpartition(":")[2].partition("/")[0])
        info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        patch.setattr(socket, "getaddrinfo", lambda *_: [info, info])
        yield f"http://several.example:{port}/i"


@contextmanager
def never_resolved() -> Iterator[str]:
    """A name that nobody knows for a second."""

    def slow(*_: object) -> list[object]:
        time.sleep(1)
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", slow)
        yield "http://slow.example/i"


DIALLED = [never_accepting, never_agreeing, several_that_never_accept, never_resolved]


@pytest.mark.parametrize("place", DIALLED, ids=lambda place: place.__name__)
@pytest.mark.parametrize("how", ["time", "cancel", "close", "cancel at once"])
async def test_a_request_that_ends_while_it_dials_has_one_end_and_leaves_no_socket(place, how: str) -> None:  # type: ignore[no-untyped-def]
    told = Told()
    with place() as url:
        async with a_wire() as wire:
            before = descriptors()
            sendings = [told.begin(wire, url, 350 if how == "time" else PLENTY) for _ in range(20)]
            if how != "cancel at once":
                await asyncio.sleep(0.3)
            if how == "time":
                await eventually_async(lambda: len(told) == 20, every=0.01)
            elif how == "close":
                await wire.close()
            for sending in sendings if how.startswith("cancel") else []:
                assert sending is not None
                sending.cancel()
            await eventually_async(lambda: descriptors() <= before, every=0.01)
            await eventually_async(
                lambda: not any("Exchange._dial" in repr(task) for task in asyncio.all_tasks()), every=0.01
            )
    ends = Counter((one.kind, one.error) for one in told)
    late = ("ours", "resolver: no answer in time") if place is never_resolved else ("failure", "timeout")
    assert (
        ends
        == {
            "time": {late: 20},
            "close": {("ours", "closed"): 20},
            "cancel": {},
            "cancel at once": {},
        }[how]
    )


async def test_a_wire_that_is_closed_sends_nothing_any_more(wire: HttpWire) -> None:
    told = Told()
    async with answering(EMPTY, EMPTY) as asked:
        await wire.send(get(asked.url()), PLENTY)
        await wire.close()
        assert told.begin(wire, asked.url()) is None
    assert [(one.kind, one.error) for one in told] == [("ours", "closed")]
    assert len(asked.requests) == 1


async def test_an_error_of_whoever_is_told_is_nobody_elses(wire: HttpWire, caplog: pytest.LogCaptureFixture) -> None:
    def broken(outcome: Outcome) -> None:
        calls.append(outcome)
        raise RuntimeError("s3cr3t")

    calls: list[Outcome] = []
    async with server(says(stay=True)) as silent, answering(EMPTY, EMPTY) as asked:
        for url in (silent.url(), silent.url(), asked.url()):
            wire.begin(get(url), 100, broken)
        outcomes = [await wire.send(get(silent.url()), timeout) for timeout in (100, 200)]
        assert (await wire.send(get(asked.url()), PLENTY)).status == 200
    assert [one.error for one in outcomes] == ["timeout"] * 2
    assert sorted(one.kind for one in calls) == ["answer", "failure", "failure"]
    assert "the end of a request's time: RuntimeError at broken" in caplog.text


@pytest.mark.parametrize("end", ["answer", "time"])
async def test_a_request_that_is_cancelled_as_it_ends_is_cancelled(
    wire: HttpWire, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The end comes in the same turn of the loop, before the one who waits has heard that it is cancelled."""
    async with server(says(stay=True)) as asked:
        task = asyncio.create_task(wire.send(get(asked.url()), PLENTY))
        await eventually_async(lambda: any(one._asked for one in wire._connections.open), every=0.002)
        (connection,) = wire._connections.open
        exchange = connection._asked
        task.cancel()
        if end == "time":
            exchange.expire()  # type: ignore[union-attr]
        else:
            connection.get_buffer(0)[: len(EMPTY)] = EMPTY
            connection.buffer_updated(len(EMPTY))
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not caplog.records


@pytest.mark.parametrize("shift", [-0.002, -0.001, 0.0, 0.001, 0.002])
async def test_an_answer_at_the_very_end_of_its_time_is_an_end_once(wire: HttpWire, shift: float) -> None:
    """The server answers around the tick at which time is over."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await whole_request(reader)
            due = next(iter(sorted(wire._deadlines._slots))) * 0.05
            await asyncio.sleep(min(max(0.0, due - time.monotonic() + shift), 0.2))
            writer.write(EMPTY)

    told = Told()
    async with server(talk) as asked:
        for _ in range(8):
            told.begin(wire, asked.url(), 60)
        await eventually_async(lambda: len(told) >= 8, every=0.005)
        assert (await wire.send(get(asked.url()), PLENTY)).status == 200
        assert len(told) == 8
    assert {(one.kind, one.error) for one in told} <= {("answer", None), ("failure", "timeout")}


async def test_a_partner_that_closes_at_random_gets_each_request_once(wire: HttpWire, way: Way) -> None:
    """Under load: before the request, in the middle of the answer, behind it, with and without a word."""
    chance = random.Random(7)
    heard: Counter[bytes] = Counter()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if chance.random() < 0.1:
            return
        while True:
            heard[(await whole_request(reader)).split()[1]] += 1
            match chance.randrange(8):
                case 0:
                    return
                case 1:
                    writer.transport.abort()
                    return
                case 2:
                    writer.write(HEAD + b"Content-Length: 9\r\n\r\nabc")
                    return
                case 3:
                    writer.write(HEAD + b"Connection: close\r\nContent-Length: 0\r\n\r\n")
                    return
                case 4:
                    writer.write(EMPTY + EMPTY)
                case 5:
                    writer.write(EMPTY)
                    await asyncio.sleep(0)
                    return
                case _:
                    writer.write(EMPTY)

    async def client(number: int) -> None:
        for each in range(15):
            target = f"/{number}-{each}"
            ends[target.encode()] = await wire.send(way.request(asked.url(target)), PLENTY)

    ends: dict[bytes, Outcome] = {}
    before = descriptors()
    async with server(talk, way.tls) as asked:
        await asyncio.gather(*(client(number) for number in range(20)))
        await wire.close()
    assert len(ends) == 300
    assert set(heard.values()) == {1}, "something was written twice"
    for target, outcome in ends.items():
        assert outcome.kind in ("answer", "failure"), outcome
        assert outcome.kind == "failure" or heard[target] == 1, "an answer to nothing"
    await eventually_async(lambda: descriptors() <= before, every=0.01)


async def test_each_answer_is_its_own_however_it_is_cut(wire: HttpWire) -> None:
    """Answers of all shapes one after the other on the same connections, in pieces that end anywhere."""
    chance = random.Random(3)

    def answer(name: bytes) -> bytes:
        return chance.choice(
            [
                HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(name), name),
                HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(name), name),
                HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nT: x\r\n\r\n" % (len(name), name),
                b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(name), name),
            ]
        )

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        asked.heard.append(heard)
        while True:
            heard.append(await whole_request(reader))
            left = answer(heard[-1].split()[1])
            while left:
                size = chance.randint(1, 60)
                writer.write(left[:size])
                left = left[size:]
                await asyncio.sleep(0)

    async def client(number: int) -> None:
        for each in range(25):
            outcome = await wire.send(get(asked.url(f"/{number}-{each}")), PLENTY)
            assert (outcome.status, outcome.response, outcome.reused) == (200, f"/{number}-{each}", each > 0)

    async with server(talk) as asked:
        await asyncio.gather(*(client(number) for number in range(10)))
    assert (len(asked.heard), len(asked.requests)) == (10, 250)


async def test_whoever_is_told_may_ask_again_at_once(wire: HttpWire, way: Way) -> None:
    """Also on the very connection that tells, while it is telling."""
    told: list[Outcome] = []

    def again(outcome: Outcome) -> None:
        told.append(outcome)
        if len(told) < 50:
            wire.begin(way.request(asked.url(f"/{len(told)}")), PLENTY, again)

    async with answering(*[EMPTY] * 50, tls=way.tls) as asked:
        wire.begin(way.request(asked.url("/0")), PLENTY, again)
        await eventually_async(lambda: len(told) == 50, every=0.01)
    assert [(one.status, one.reused) for one in told] == [(200, number > 0) for number in range(50)]
    assert [request.split()[1] for request in asked.heard[0]] == [b"/%d" % number for number in range(50)]


@pytest.mark.parametrize("hangs", [True, False])
async def test_many_connections_leave_no_file_descriptors(hangs: bool) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.heard.append([await whole_request(reader)])
        writer.write(b"" if hangs else EMPTY)
        await reader.read()

    async with server(talk) as asked:
        before = descriptors()
        async with a_wire() as wire:
            told = Told()
            for _ in range(300):
                told.begin(wire, asked.url())
            await eventually_async(lambda: len(asked.heard) == 300 and (hangs or len(told) == 300))
            assert descriptors() >= before + 300
        assert [one.kind for one in told] == (["failure"] if hangs else ["answer"]) * 300
        assert not wire._connections.open
        # Those of the server's side too.
    await eventually_async(lambda: descriptors() < before, every=0.01)


async def test_a_hundred_that_are_given_up_are_told_to_nobody_and_leave_nothing(wire: HttpWire) -> None:
    """A third of them is not even connected, a third is not agreed on TLS."""
    overs: list[Over] = []
    clock = ManualClock(1_760_000_000_000)
    settling = Settling(kafka.Topics("r."), Tiers())
    attempts = Attempts(Parts(wire, settling, clock, Tallies(Metrics()), str), overs.append)
    lane: Lane[Held] = Lane(partner_named(max_in_flight=100), LaneLimits())
    tracker = Tracker("r.delivery", 0, 1, 0)
    with never_accepting() as unconnected, never_agreeing() as unagreed:
        async with server(says(stay=True)) as asked:
            before = descriptors()
            for number in range(99):
                url = (unconnected, unagreed, asked.url())[number % 3]
                held = Held(job_for(url, number), tracker, Source("r.delivery", 0, number, b"k"), clock.now())
                lane.queue.append(held)
                started = lane.start(clock.now())
                assert started is not None
                attempts.begin(lane, started[1], held, lane.partner, clock.now())
            await eventually_async(lambda: len(wire._connections.open) == 33)
            assert (len(attempts), lane.in_flight, await attempts.ended([tracker], 0.01)) == (99, 99, 99)
            assert attempts.give_up() == 99
            assert (len(attempts), lane.in_flight, attempts.broken) == (0, 0, None)
            await eventually_async(lambda: not wire._connections.open, every=0.01)
        await eventually_async(lambda: descriptors() < before, every=0.01)
    assert not any(wire._deadlines._slots.values())
    assert overs == []


def test_a_look_up_that_hangs_keeps_no_process_from_ending() -> None:
    program = """
import asyncio, socket, threading
from tests.support.talking import a_wire, get

async def main():
    async with a_wire() as wire:
        outcome = await wire.send(get("http://slow.example/"), 50)
        assert outcome.error == "resolver: no answer in time", outcome

socket.getaddrinfo = lambda *_: threading.Event().wait(60)
asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=30)


async def test_a_head_that_ends_in_the_middle_of_another_answer_is_not_trusted(wire: HttpWire, way: Way) -> None:
    """The beginning of an answer behind the last chunk, whose rest would come with the next one."""
    first = HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"
    asked: Server
    async with answering(first, b"Content-Length: 0\r\n\r\n", tls=way.tls) as asked:
        outcomes = [await wire.send(way.request(asked.url()), PLENTY) for _ in range(2)]
    assert [(one.status, one.reused) for one in outcomes] == [(200, False)] * 2
