"""A process whose producers are fenced off with requests under way: `python -m … BROKERS TOPIC`.

Says how each one ended. That a client is dropped badly may end the process, hence one of its own.
"""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import Producer

from streams.engine.producer import TransactionalProducer, Write
from streams.settings import Settings

PARTITIONS = 60
ROUNDS = 12


def fence(settings: Settings, topic: str, name: str) -> None:
    """Raises what a writer is told that has been fenced off in the middle of a transaction."""
    rows = [(topic, b"key", b"value" * 20, number % PARTITIONS) for number in range(4 * PARTITIONS)]
    writer = TransactionalProducer(settings, name)
    writer.start(lambda: False)

    def on_step(step: str) -> None:
        if step == "produced":
            # The partitions are those of the transaction by now: it is their leaders that refuse what follows.
            writer._producer.flush(10)
            Producer({"bootstrap.servers": settings.bootstrap_servers, "transactional.id": name}).init_transactions(10)
            for _, key, value, number in rows:
                writer._producer.produce(topic, value, key, number)

    writer.write_all([Write(0, rows, (topic, b"last", b"", 0), on_step)])


def end_of(brokers: str, topic: str, name: str) -> str:
    """What the writer was told. Log lines of the client are served along with its errors, so there are many."""
    try:
        fence(Settings(bootstrap_servers=brokers, kafka_options={"debug": "eos,msg"}), topic, name)
    except Exception as error:
        return type(error).__name__
    return "none"


def main(brokers: str, topic: str) -> None:
    logging.basicConfig(level=logging.WARNING)
    with ThreadPoolExecutor(ROUNDS) as threads:
        for told in threads.map(lambda number: end_of(brokers, topic, f"{topic}-{number}"), range(ROUNDS)):
            print(told)


if __name__ == "__main__":
    main(*sys.argv[1:])
