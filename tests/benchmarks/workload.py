"""The input that every contestant gets: installs of so many devices, then their payments in turn.

The workload `plain` has payments without a user id: read the device's state, decide, one job, write the state. In
`full` each payment has one, so that the worker's second stage, that of users, has as much to do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.kafka import partition_of

CONFIG = Path(__file__).parent / "config"
APP = "com.example.bench"
PARTITIONS = 4
DEVICES = 20_000
START = 1_767_225_600
WORKLOADS = ("plain", "full")
APPENDED = {"message.timestamp.type": "LogAppendTime"}

#: (device, record)
Records = Iterator[tuple[str, dict[str, object]]]


def _device(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number * 7919 % 2**48:012x}"


def installs(devices: int) -> Records:
    """Each device's install; every second device came by a partner."""
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


def payments(devices: int, records: int, workload: str = "full", first: int = 0) -> Records:
    """So many payments, from number `first` on; the devices take turns in an order that looks random."""
    for number in range(first, first + records):
        device = _device(number * 2654435761 % devices)
        record: dict[str, object] = {
            "id": f"p-{number}",
            "event_name": "payment",
            "event_timestamp": START + 7200 + number // 100,
            "app_id": APP,
            "platform": "android",
            "google_aid": device,
            "revenue": number % 5000 / 100,
            "currency": "USD",
            "params": {"level": number % 50},
        }
        if workload == "full":
            record["user_id"] = f"u{number % devices}"
        yield device, record


def number(record_id: str) -> int:
    """Of a payment, or of a record of `mixed`, by its id."""
    return int(record_id.partition("-")[2])


#: Of a hundred records of `mixed`, how many are what.
MIXTURE = {"launch": 40, "level_up": 25, "authorization": 10, "payment": 10, "coins": 8, "registration": 5, "gems": 2}


def mixed(devices: int, records: int) -> Records:
    """All sorts of events, with user ids, a second of their own time apart: so a device comes back on other days."""
    names = [name for name, share in MIXTURE.items() for _ in range(share)]
    for number, (device, record) in enumerate(payments(devices, records, "full")):
        # The devices take turns, too: another multiplier, or each would always have the same event.
        name = names[(number * 40503 + number // devices * 17) % len(names)]
        record |= {"id": f"e-{number}", "event_name": name, "event_timestamp": START + 7200 + number}
        if name != "payment":
            del record["revenue"], record["currency"]
        yield device, record


def create(
    bootstrap: str,
    *names: str,
    compact: bool = False,
    partitions: int = PARTITIONS,
    config: Mapping[str, str] | None = None,
) -> None:
    """Make topics. Blocks until the broker has agreed."""
    wanted = ({"cleanup.policy": "compact"} if compact else {}) | dict(config or {})
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})
    for future in admin.create_topics([NewTopic(name, partitions, 1, config=wanted) for name in names]).values():
        future.result()


def placed(source: Records, partitions: int) -> Iterator[tuple[int, bytes, bytes]]:
    """(partition, key, value) of each record, keyed and placed as the contract says."""
    for device, record in source:
        key = f"{APP}|{device}".encode()
        yield partition_of(key, partitions), key, json.dumps(record).encode()


def fill(bootstrap: str, topic: str, source: Records, codec: str, partitions: int = PARTITIONS) -> None:
    """Write all records of `source`; returns when the broker has them."""
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "compression.type": codec,
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
        }
    )
    for partition, key, value in placed(source, partitions):
        while True:
            try:
                producer.produce(topic, value, key, partition)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def feed(
    bootstrap: str,
    records: int,
    codec: str,
    devices: int = DEVICES,
    workload: str = "full",
    partitions: int = PARTITIONS,
) -> None:
    """Fill `installs`, then `events`."""
    fill(bootstrap, "installs", installs(devices), codec, partitions)
    # The merge goes by append time: the first event must not share the last install's millisecond.
    time.sleep(0.01)
    fill(bootstrap, "events", payments(devices, records, workload), codec, partitions)
