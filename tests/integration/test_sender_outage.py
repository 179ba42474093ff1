"""A broker that goes away: what is sent meanwhile is committed afterwards, and the sender goes on by itself (D5)."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from streams.local.broker import EmbeddedBroker
from streams.local.exchange import Answer
from streams.local.partner import in_thread
from streams.settings import Settings
from tests.support.processes import starting
from tests.support.sending import Bench, configuration, job_for, partner_named
from tests.support.waiting import eventually


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
        )
        bench = Bench(settings)
        bench.create()
        bench.configure(configuration([partner_named(max_in_flight=in_flight)]))
        partner.rule("/i", lambda _: Answer(delay=0.1))
        bench.decide(job_for(partner.url("/i"), n) for n in range(count))
        with starting(settings, tmp_path) as start:
            process = start(module="tests.support.sender_process")
            eventually(lambda: partner.count > 50, within=60)
            # In order: a lone broker that is killed may, as it comes back, skip the markers of a transaction that was
            # being committed (it finds no leader for their partitions), and hides these offsets for ever.
            broker.shut_down()
            time.sleep(12)
            broker.start()
            eventually(lambda: len(bench.terminal()) >= count, within=120, every=1.0, what="all have ended")
            assert process.running
        assert bench.outcomes() == {"delivered": count}
    sent = Counter(partner.job_ids())
    assert len(sent) == count
    # In flight, and what was sent at 200/s before the missing commit was noticed.
    assert sum(times - 1 for times in sent.values()) <= in_flight + 200
