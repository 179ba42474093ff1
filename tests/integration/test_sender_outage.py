"""A broker that goes away: what is sent meanwhile is committed afterwards, and the sender goes on by itself (D5)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from streams.delivery import outcomes
from streams.delivery.app import UNFINISHED
from streams.local.broker import EmbeddedBroker
from streams.local.exchange import Answer
from streams.local.partner import Partner, in_thread
from streams.settings import Settings
from tests.support.processes import starting
from tests.support.sending import Bench, configuration, job_for, partner_named, sending
from tests.support.waiting import eventually, eventually_async


@pytest.mark.timeout(240)
def test_a_sender_goes_on_after_the_broker_was_away(tmp_path: Path) -> None:
    count, in_flight = 600, 20
    with EmbeddedBroker(tmp_path / "kafka") as broker, in_thread() as partner:
        settings = Settings(
            bootstrap_servers=broker.bootstrap,
            topic_prefix="outage.",
            metrics_host="127.0.0.1",
            sender_metrics_port=0,
            egress_allow="127.0.0.0/8",  # type: ignore[arg-type]
            partitions=2,
            grace=4_000,
        )
        bench = Bench(settings)
        bench.create()
        bench.configure(configuration([partner_named(max_in_flight=in_flight)]))
        partner.rule("/i", lambda _: Answer(delay=0.1))
        bench.decide(job_for(partner.url("/i"), n) for n in range(count))
        with starting(settings, tmp_path) as start:
            process = start(module="tests.support.sender_process")
            eventually(lambda: partner.count > 50, within=60)
            # In order. Even so a lone broker may note a transaction as complete and skip its markers; the sender ends
            # it as it begins anew (test_sender_hanging). A broker that is killed does that more often.
            broker.shut_down()
            # Longer than a transaction lasts: then the broker aborts what was open.
            time.sleep(outcomes.TRANSACTION_TIMEOUT_MS / 1000 + 2)
            broker.start()
            try:
                eventually(lambda: len(bench.terminal()) >= count, within=120, every=1.0, what="all have ended")
            except AssertionError as error:
                error.add_note(f"running: {process.running}, the end of its log:\n{process.log_tail()}")
                raise
            assert process.running
            assert bench.outcomes() == {"delivered": count}
            # Told to stop while the broker is away again, it says that its last outcomes are not written.
            partner.rule("/i", lambda _: Answer(delay=1.0))
            bench.decide([job_for(partner.url("/i"), count)])
            eventually(lambda: partner.in_flight, within=30)
            broker.kill()
            assert process.end(30) == UNFINISHED, process.log_tail()
    sent = Counter(partner.job_ids()[:-1])
    assert len(sent) == count
    # In flight, and what was sent at 200/s before the missing commit was noticed.
    assert sum(times - 1 for times in sent.values()) <= in_flight + 200


class Hanging(Producer):
    """A producer that does once what librdkafka does when a coordinator goes away at the wrong moment."""

    hangs: threading.Event | None = None
    released = threading.Event()

    def send_offsets_to_transaction(self, *arguments: Any) -> None:
        if (hangs := Hanging.hangs) is not None and not hangs.is_set():
            hangs.set()
            Hanging.released.wait()
        super().send_offsets_to_transaction(*arguments)


async def test_a_call_to_the_client_that_never_returns_costs_a_new_producer_and_no_receipt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, in_flight = 100, 10
    monkeypatch.setattr(outcomes, "Producer", Hanging)
    bench = Bench(settings)
    bench.create()
    bench.configure(configuration([partner_named(max_in_flight=in_flight)]))
    try:
        async with Partner() as partner, sending(settings) as running:
            monkeypatch.setattr(outcomes, "GIVE_UP_SECONDS", 2.0)
            monkeypatch.setattr(outcomes, "STUCK_SECONDS", 2.0)
            Hanging.hangs = threading.Event()
            bench.decide(job_for(partner.url("/i"), n) for n in range(count))
            await eventually_async(
                lambda: asyncio.to_thread(lambda: len(bench.terminal()) >= count), within=60, every=0.5, what="all end"
            )
            assert Hanging.hangs.is_set()
            assert running.counted("kafka_errors_total", reason="fatal") >= 1
            assert len(set(partner.job_ids())) == count
        assert bench.outcomes() == {"delivered": count}
    finally:
        Hanging.released.set()
