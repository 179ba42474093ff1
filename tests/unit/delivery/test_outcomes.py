"""What the transactional producer makes of a transaction that had to be aborted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.delivery import outcomes
from streams.delivery.outcomes import Aborted, Fatal, Transactions
from streams.delivery.settling import Record
from streams.settings import Settings


class Producer:
    """Has every transaction aborted. `broke`: what it tells of a connection the next time that it is polled."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._tell: Callable[[KafkaError], None] = config["error_cb"]
        self.broke: KafkaError | None = None
        self.aborted = 0

    def init_transactions(self, seconds: float) -> None: ...

    def send_offsets_to_transaction(self, *positions: Any) -> None:
        raise KafkaException(KafkaError(KafkaError._STATE, "cannot be", False, False, True))

    def flush(self, seconds: float) -> int:
        return 0

    def __len__(self) -> int:
        return 0

    def begin_transaction(self) -> None: ...

    def produce(self, *record: Any) -> None: ...

    def purge(self) -> None: ...

    def commit_transaction(self, seconds: float) -> None:
        raise KafkaException(KafkaError(KafkaError._STATE, "cannot be", False, False, True))

    def abort_transaction(self, seconds: float) -> None:
        self.aborted += 1

    def poll(self, seconds: float) -> int:
        broke, self.broke = self.broke, None
        if broke is not None:
            self._tell(broke)
        return 0


def transactions(monkeypatch: pytest.MonkeyPatch, *written: tuple[str, int]) -> tuple[Transactions, Producer]:
    monkeypatch.setattr(outcomes, "Producer", Producer)
    made = Transactions(Settings(bootstrap_servers="127.0.0.1:1"), "one", lambda epoch: None, set(written))
    producer: Any = made._producer
    return made, producer


RECORDS = [(0, Record("receipts", b"k", b"v"))]


def test_an_aborted_transaction_may_be_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made, producer = transactions(monkeypatch)
    try:
        with pytest.raises(Aborted):
            made(RECORDS, [])
    finally:
        made.discard()
    assert producer.aborted == 1


def test_after_a_broker_was_away_an_abort_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults D5. The abort may have taken the transaction before it along, of which the broker left no end: to go on
    from its positions would lose its receipts and redeliveries.
    """
    made, producer = transactions(monkeypatch)
    producer.broke = KafkaError(KafkaError._TRANSPORT, "closed by peer")
    try:
        with pytest.raises(Fatal, match="a broker was away"):
            made(RECORDS, [])
    finally:
        made.discard()
    assert producer.aborted == 1


def test_what_broke_before_its_first_transaction_does_not_end_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then nothing of this producer's is committed, and what hung of the one before it is aborted."""
    made, producer = transactions(monkeypatch, ("receipts", 0))
    producer.broke = KafkaError(KafkaError._TRANSPORT, "connection refused")
    try:
        made.start()
        assert producer.aborted == 2, "what hung, in the positions and in the topics"
        with pytest.raises(Aborted):
            made(RECORDS, [])
        producer.broke = KafkaError(KafkaError._TRANSPORT, "closed by peer")
        with pytest.raises(Fatal, match="a broker was away"):
            made(RECORDS, [])
    finally:
        made.discard()
