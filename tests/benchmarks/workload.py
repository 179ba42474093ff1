"""The input that every contestant gets: installs of `DEVICES` devices, then their payments in turn."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.kafka import partition_of

CONFIG = Path(__file__).parent / "config"
APP = "com.example.bench"
PARTITIONS = 4
DEVICES = 20_000
START = 1_767_225_600


def _device(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number * 7919 % 2**48:012x}"


def installs(devices: int) -> Iterator[tuple[str, dict[str, object]]]:
    """(device, record) of each install; every second device came by a partner."""
    for number in range(devices):
        record: dict[str, object] = {
            "id": f"i-{number}",
            "event_name": "install",
            "install_timestamp": START + number % 3600,
            "app_id": APP,
            "platform": "android",
            "google_aid": _device(number),
            "country_code": "US",
        }
        if number % 2:
            record |= {"publisher_name": "bench_ads", "click_id": f"clk-{number}", "campaign_name": "spring"}
        yield _device(number), record


def payments(devices: int, records: int) -> Iterator[tuple[str, dict[str, object]]]:
    """(device, record) of each payment."""
    for number in range(records):
        device = _device(number * 2654435761 % devices)
        yield (
            device,
            {
                "id": f"p-{number}",
                "event_name": "payment",
                "event_timestamp": START + 7200 + number // 100,
                "app_id": APP,
                "platform": "android",
                "google_aid": device,
                "user_id": f"u{number % devices}",
                "revenue": number % 5000 / 100,
                "currency": "USD",
                "params": {"level": number % 50},
            },
        )


def create(bootstrap: str, *names: str, compact: bool = False) -> None:
    """Make topics of `PARTITIONS` partitions."""
    config = {"cleanup.policy": "compact"} if compact else {}
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1, config=config) for name in names]).values():
        future.result()


def feed(bootstrap: str, records: int, codec: str, devices: int = DEVICES) -> None:
    """Fill `installs` and `events`, in this order, keyed and placed as the contract says."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": codec,
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
        }
    )
    for topic, source in (("installs", installs(devices)), ("events", payments(devices, records))):
        for device, record in source:
            key = f"{APP}|{device}".encode()
            while True:
                try:
                    producer.produce(topic, json.dumps(record), key, partition_of(key, PARTITIONS))
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()
        # The merge goes by append time: the first event must not share the last install's millisecond.
        time.sleep(0.01)
