"""How fast a worker process reads its state back: `python -m tests.benchmarks.recovery`.

A changelog is filled with the states of so many devices (`rows`: what a device of a game or shop has after some weeks,
400 bytes on average) and, after every 2,000 of them, a marker. Then the recovery that a worker runs is timed: of one
partition of a changelog that has one, and of four at once in one process.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.config import DAY
from streams.attribution import fold, state
from streams.engine.faults import FaultPoints
from streams.engine.holds import device_row
from streams.engine.producer import BarrierProducer
from streams.engine.recovery import MARKER_KEY, Marker, Recovery
from streams.engine.stages import Stage, Unit, changelog_topic
from streams.engine.startup import changelog_config
from streams.engine.store import Store, StoreMemory
from streams.kafka import partition_of
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.benchmarks import states
from tests.benchmarks.workload import APP, _device
from tests.support import owning

BATCH = 2_000
MIB = 2**20
TEMPLATES = 300
AVERAGE = 400
#: No device's newest record is later than this in its year: what comes now must not be too late.
NEWEST = 200 * DAY


def templates(seed: int = 0) -> list[state.Device]:
    """States of devices with about `AVERAGE` bytes, made by the fold from some weeks of use."""
    dice = random.Random(seed)
    found: list[state.Device] = []
    while len(found) < TEMPLATES:
        device: state.Device | None = None
        for place, (kind, name, at, arrives) in enumerate(states.year(dice)):
            entry = states.entry_of(dice, place, kind, name, at, arrives)
            device = fold.fold(device, entry, states.APP, states.NO_PARTNERS).device
            if len(state.encode(device)) > AVERAGE:
                break
        if device is None or device.held or device.newest > states.START + NEWEST:
            continue
        if abs(len(state.encode(device)) - AVERAGE) < AVERAGE // 4:
            found.append(device)
    return found


def rows(devices: int, seed: int = 0) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(device key, key of the row, the row) of each device, no two alike, so that they compress as real ones do."""
    made, dice = templates(seed), random.Random(seed)
    for number in range(devices):
        like = made[number % len(made)]
        attributions = [
            one
            if one.touch is None
            else msgspec.structs.replace(
                one, touch=msgspec.structs.replace(one.touch, click_id=f"{dice.getrandbits(200):x}")
            )
            for one in like.attributions
        ]
        seen = [type(one)(one.until, dice.randbytes(len(one.marks))) for one in like.seen]
        device = msgspec.structs.replace(like, attributions=attributions, seen=seen)
        key = f"{APP}|{_device(number)}"
        yield key.encode(), device_row(key), state.encode(device)


def create(settings: Settings, partitions: int) -> str:
    """The device stage's changelog, as a worker makes it."""
    name = changelog_topic(settings)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    topic = NewTopic(name, partitions, 1, config=changelog_config(settings))
    admin.create_topics([topic])[name].result()
    return name


def fill(settings: Settings, devices: int, partitions: int) -> int:
    """Write the changelog; returns its bytes without keys, when the broker has all of it."""
    name = create(settings, partitions)
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "compression.type": settings.compression,
            "linger.ms": 20,
            "queue.buffering.max.messages": 200_000,
        }
    )
    marker = Marker({"installs": 0, "events": 0}).encode()
    written, size = [0] * partitions, 0
    for key, row_key, row in rows(devices):
        place = partition_of(key, partitions)
        written[place] += 1
        size += len(row)
        produce(producer, name, row, row_key, place)
        if written[place] % BATCH == 0:
            produce(producer, name, marker, MARKER_KEY, place)
    for place in range(partitions):
        produce(producer, name, marker, MARKER_KEY, place)
    producer.flush()
    return size


def produce(producer: Producer, *record: Any) -> None:
    """Waits while the client's queue is full."""
    while True:
        try:
            producer.produce(*record)
            return
        except BufferError:
            producer.poll(0.1)


def recover(settings: Settings, partitions: int) -> tuple[int, float]:
    """Records and seconds, with all partitions at once in this process."""
    stage = Stage("device", (), partitions, changelog_topic(settings), cast(Any, None))
    memory, barriers = StoreMemory(settings.store_cache, settings.store_buffers), BarrierProducer(settings)
    owning.ensure_owners(settings)
    owners, recoveries = owning.owners(settings), []
    for number in range(partitions):
        unit = Unit("device", number)
        store = Store(settings.state_dir / str(number), memory)
        ownership = owning.ownership(settings, unit, among=owners)
        recovery = Recovery(settings, unit, stage, store, ownership, barriers, lambda: False, FaultPoints())
        store.open()
        recovery.fence()
        recoveries.append((recovery, store))
    started = time.monotonic()
    with ThreadPoolExecutor(settings.recoveries) as threads:
        found = list(threads.map(lambda one: one[0].read(), recoveries))
    seconds = time.monotonic() - started
    for _, store in recoveries:
        store.close()
    return sum(one.records for one in found), seconds


def main() -> None:
    """Print records a second, over so many rounds, and the largest memory of the process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--partitions", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--codec", default="zstd", choices=("none", "lz4", "zstd", "snappy", "gzip"))
    parser.add_argument("--bootstrap", help="a broker that runs already")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rates: dict[int, list[float]] = {}
    broker = None if arguments.bootstrap else EmbeddedBroker().start()
    try:
        bootstrap = arguments.bootstrap or (broker.bootstrap if broker else "")
        for partitions in arguments.partitions:
            rates[partitions] = measure(bootstrap, arguments, partitions)
    finally:
        if broker is not None:
            broker.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    for partitions, found in rates.items():
        print(f"{partitions} partitions: median {statistics.median(found):,.0f} records/s; peak {peak} MiB")
    if arguments.json:
        arguments.json.write_text(json.dumps({"records_per_second": rates, "peak_mib": peak}))


def measure(bootstrap: str, arguments: argparse.Namespace, partitions: int) -> list[float]:
    """Fill once, recover so many times into an empty folder."""
    found = []
    worker = f"recovery-{partitions}-{random.getrandbits(32):x}"
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(bootstrap_servers=bootstrap, worker_id=worker, compression=arguments.codec)
        size = fill(settings, arguments.devices, partitions)
        print(f"{partitions} partitions: {arguments.devices:,} rows, {size / arguments.devices:.0f} bytes on average")
        for number in range(arguments.rounds):
            own = settings.model_copy(update={"state_dir": Path(folder) / str(number)})
            records, seconds = recover(own, partitions)
            found.append(records / seconds)
            print(f"  round {number + 1}: {records:,} records in {seconds:.2f} s: {found[-1]:,.0f}/s", flush=True)
    return found


if __name__ == "__main__":
    main()
