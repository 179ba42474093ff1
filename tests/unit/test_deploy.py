"""What lies in `deploy/` to start from is valid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from schemas.config import Source
from streams.config.load import load_directory
from streams.local import jars
from streams.sources.decode import Decoder

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
YAMLS = [ROOT / "docker-compose.kafka.yml", *sorted(DEPLOY.rglob("*.y*ml"))]


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_every_yaml_file_can_be_read(path: Path) -> None:
    assert YAML(typ="safe").load(path.read_text())


def test_the_broker_in_docker_is_the_version_that_the_tests_run_on() -> None:
    compose = YAML(typ="safe").load((ROOT / "docker-compose.kafka.yml").read_text())
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{jars.KAFKA_VERSION}"


@pytest.mark.parametrize("record", ["install", "event"])
def test_the_example_records_can_be_decoded(record: str) -> None:
    decoder = Decoder(Source(topic=f"{record}s", record=record), 1_000_000)  # type: ignore[arg-type]
    lines = (DEPLOY / "examples" / "first-postback" / f"{record}s.jsonl").read_text().splitlines()
    decoded = [decoder.decode(line.encode()) for line in lines]
    assert [getattr(each, "id", each) for each in decoded] == [json.loads(line)["id"] for line in lines]


@pytest.mark.parametrize("folder", sorted(DEPLOY.glob("examples/*/config")), ids=lambda path: path.parent.name)
def test_the_example_configurations_are_valid(folder: Path) -> None:
    assert load_directory(folder).postbacks
