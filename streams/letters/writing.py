"""Writing replays and notes: all of a portion in one transaction, or nothing of it.

Everybody who replays or purges under a prefix writes under one transactional id: who begins later fences off whoever
is still at it, so that no letter can be replayed by both. What a command that died has left open is ended by the next
one that begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from streams import kafka
from streams.errors import Stop
from streams.settings import Settings

from .again import Record

#: What lies in an open transaction of a command that died hides what follows it from readers for so long.
TRANSACTION_TIMEOUT_MS = 10_000
#: One call to the client (seconds); it is made again until the time is up.
CALL_SECONDS = 5.0

AGAIN = "run the same command again: what was replayed or purged is known, and is not done twice"


class Writer:
    """Writes portions. All methods block, and raise `Stop` when Kafka does not take it within `timeout` seconds; for
    one thread.
    """

    def __init__(self, settings: Settings, timeout: float) -> None:
        self._timeout = max(timeout, 1.0)
        self._deadline = 0.0
        self._producer = Producer(
            kafka.producer_settings(
                settings,
                transactional_id=f"{settings.topic_prefix}dlq",
                transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
                message_max_bytes=kafka.LARGEST_DEAD_LETTER,
                linger_ms=5,
                error_cb=lambda _error: None,
            )
        )

    def start(self) -> None:
        """Fence off whoever writes now, and end what was left open: from here on nobody else adds notes."""
        self._deadline = time.monotonic() + self._timeout
        self._call(self._producer.init_transactions, CALL_SECONDS)

    def write(self, records: Sequence[Record]) -> None:
        """Write these; they are committed when it returns. After an error it is not known whether they are."""
        self._deadline = time.monotonic() + self._timeout
        while not self._written(records):
            time.sleep(0.1)

    def _written(self, records: Sequence[Record]) -> bool:
        """Make one try; false when the transaction was aborted and may be made again."""
        try:
            self._call(self._producer.begin_transaction)
            for record in records:
                self._produce(record)
            self._call(self._producer.commit_transaction, CALL_SECONDS)
        except KafkaException as error:
            if not error.args[0].txn_requires_abort():
                raise self._stopped(error.args[0]) from error
            self._abort(error.args[0])
            return False
        return True

    def _produce(self, record: Record) -> None:
        while True:
            try:
                self._producer.produce(record.topic, record.value, record.key, record.partition)
                return
            except BufferError:
                self._producer.poll(0.05)
                self._check()

    def _call(self, step: Callable[..., Any], *arguments: Any) -> None:
        """Make a call until it is done. Raises KafkaException for what an abort mends."""
        while True:
            try:
                step(*arguments)
                return
            except KafkaException as error:
                cause: KafkaError = error.args[0]
                if cause.txn_requires_abort() and not cause.fatal():
                    raise
                if cause.fatal() or not cause.retriable():
                    raise self._stopped(cause) from error
                self._check(cause)
                time.sleep(0.05)

    def _abort(self, cause: KafkaError) -> None:
        self._check(cause)
        try:
            self._call(self._producer.abort_transaction, CALL_SECONDS)
        except KafkaException as error:
            raise self._stopped(error.args[0]) from error

    def _check(self, cause: KafkaError | None = None) -> None:
        if time.monotonic() > self._deadline:
            why = f": {cause.str()}" if cause is not None else ""
            raise Stop(f"Kafka did not take what was to be written within {self._timeout:g} s{why}", AGAIN)

    def _stopped(self, cause: KafkaError) -> Stop:
        if cause.code() in FENCED:
            return Stop(
                "another `ringback dlq replay` or `purge` has begun, and goes on in the place of this one", AGAIN
            )
        return Stop(f"Kafka does not take what is to be written: {cause.str()}", AGAIN)

    def close(self) -> None:
        """Let go of what is not committed; the coordinator aborts it."""
        kafka.let_go(self._producer)


FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})
