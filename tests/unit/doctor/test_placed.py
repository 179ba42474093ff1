"""A sample of records is judged as the worker will judge them."""

from __future__ import annotations

import json

import pytest

from schemas.config import App, Source
from streams.doctor.findings import Finding
from streams.doctor.placed import Sample
from streams.kafka import partition_of

APPS = {"game": App(id="game", project="p", platform="android", bundle_id="game", device_key=("google_aid", "os_id"))}
NOW = 1_700_000_000_000


@pytest.fixture
def sample() -> Sample:
    return Sample(Source(topic="installs", record="install"), APPS, 1_000_000, 8, 50, partition_of)


def install(device: str, app: str = "game", **more: object) -> bytes:
    return json.dumps({"app_id": app, "google_aid": device, "install_timestamp": NOW, **more}).encode()


def take(sample: Sample, device: str, shift: int = 0, app: str = "game") -> None:
    key = f"game|{device}".encode()
    sample.take((partition_of(key, 8) + shift) % 8, 7, NOW, key, install(device, app))


def verdicts(sample: Sample) -> list[Finding]:
    return list(sample.findings())


def test_records_that_lie_right(sample: Sample) -> None:
    for number in range(20):
        take(sample, f"d{number}")
    assert verdicts(sample) == [("ok", "installs: the newest 20 records lie where their device key says", "")]


def test_no_records(sample: Sample) -> None:
    assert verdicts(sample) == [("ok", "installs: no records yet", "")]


def test_one_record_in_a_wrong_partition_is_wrong_and_shown(sample: Sample) -> None:
    take(sample, "a")
    sample.take((partition_of(b"game|b", 8) + 1) % 8, 7, NOW, b"b", install("b"))
    (found,) = verdicts(sample)
    assert found.verdict == "wrong"
    assert "(Kafka key b'b')" in found.found
    assert "produce with the device key as the Kafka key" in found.remedy
    assert "1 of the newest 2 records" in found.found
    assert f"offset 7: device 'game|b' belongs to partition {partition_of(b'game|b', 8)}" in found.found
    assert "murmur2_random" in found.remedy


def test_a_right_key_in_a_wrong_partition_is_the_partitioners_fault(sample: Sample) -> None:
    take(sample, "a", shift=1)
    sample.take((partition_of(b"game|b", 8) + 1) % 8, 7, NOW, b"b", install("b"))
    right, other = verdicts(sample)
    assert "1 of the newest 2 records" in right.found
    assert "their Kafka key is right, the producer's partitioner is not" in right.found
    assert right.remedy.startswith("set partitioner=murmur2_random (librdkafka) or use Java's default")
    assert "partitioner" not in other.found


def test_a_few_bad_records_are_a_warning_and_too_many_pause_the_source(sample: Sample) -> None:
    take(sample, "a")
    sample.take(0, 1, NOW, None, b"{")
    (found,) = verdicts(sample)
    assert found.verdict == "warning"
    assert (
        "1 of the newest 2 records become dead letters (undecodable 1). partition 0 offset 1: not JSON" in found.found
    )
    sample.take(0, 2, NOW, None, json.dumps({"app_id": "game"}).encode())
    (found,) = verdicts(sample)
    assert found.verdict == "wrong"
    assert "no_identifier 1" in found.found
    assert "the worker pauses this source" in found.found


def test_records_of_unknown_apps_are_a_warning_beside_those_that_lie_right(sample: Sample) -> None:
    take(sample, "a")
    take(sample, "b", app="other")
    assert [one.verdict for one in verdicts(sample)] == ["warning", "ok"]
    assert "('other' 1)" in verdicts(sample)[0].found
