"""`ringback feed` on the real broker: every record arrives once, in order, where its device belongs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams import kafka
from streams.errors import RUNTIME, USAGE
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings, environment
from tests.support.commands import Run, ringback
from tests.support.processes import Start
from tests.support.topics import read_topic
from tests.support.waiting import eventually

__all__ = ["ringback"]

CONFIGURATION = """
sources:
  - {{topic: {prefix}in, record: event, mapping: {{user_id: user.id}}}}
  - {{topic: {prefix}installs, record: install}}
apps:
  - {{id: game, project: p, platform: android, device_key: [user_id, google_aid]}}
"""


@pytest.fixture
def topic(ringback: Run, prefix: str, tmp_path: Path) -> str:
    """The topic of a configured source whose user id is mapped."""
    (tmp_path / "ringback.yaml").write_text(CONFIGURATION.format(prefix=prefix))
    status, _, err = ringback("apply", str(tmp_path / "ringback.yaml"))
    assert status == 0, err
    assert ringback("topics", "create")[0] == 0
    return f"{prefix}in"


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"e{number}", "app_id": "game", "event_name": "x", "user": {"id": f"u{number % 7}"}} | more


def write(path: Path, records: list[dict[str, Any]]) -> str:
    data = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
def test_records_lie_where_their_devices_belong_and_in_order(
    name: str, ringback: Run, topic: str, bootstrap: str, tmp_path: Path
) -> None:
    records = [event(number) for number in range(2_000)]
    status, out, err = ringback("feed", write(tmp_path / name, records), "--source", topic)
    assert (status, err) == (0, "")
    assert out.startswith(f"2,000 records sent to {topic} in ")
    found = read_topic(bootstrap, topic)
    assert len(found) == 2_000
    last: dict[str, int] = {}
    for one in found:
        value = json.loads(one.value or b"")
        assert one.key == f"game|{value['user']['id']}".encode()
        assert one.partition == kafka.partition_of(one.key, 4)
        number = int(value["id"][1:])
        assert number > last.get(value["user"]["id"], -1)
        last[value["user"]["id"]] = number


def test_a_csv_is_fed_by_its_header(ringback: Run, topic: str, bootstrap: str, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("app_id,event_name,user.id,revenue,params.level,note\ngame,buy,007,1.5,3,\ngame,buy,008,,,hi\n")
    status, _, err = ringback("feed", str(path), "-s", topic)
    assert (status, err) == (0, "")
    by_key = {one.key: json.loads(one.value or b"") for one in read_topic(bootstrap, topic)}
    assert by_key == {
        b"game|007": {
            "app_id": "game",
            "event_name": "buy",
            "user.id": "007",
            "revenue": 1.5,
            "params": {"level": "3"},
        },
        b"game|008": {"app_id": "game", "event_name": "buy", "user.id": "008", "note": "hi"},
    }


def test_bad_records_are_listed_and_skipped(ringback: Run, topic: str, bootstrap: str, tmp_path: Path) -> None:
    records = [event(1), event(2, user={}), event(3, app_id="other"), event(4, user={"id": 4}), event(5)]
    status, out, err = ringback("feed", write(tmp_path / "f", records), "-s", topic)
    assert status == RUNTIME
    assert "2 records sent" in out
    assert "3 bad ones skipped" in out
    assert f"{tmp_path / 'f'}:2 no_identifier: none of user_id, google_aid" in err
    assert f"{tmp_path / 'f'}:3 unknown_app: app_id: 'other' is not in the live configuration" in err
    assert f"{tmp_path / 'f'}:4 invalid: user_id (from user.id): expected text, found a whole number" in err
    assert len(read_topic(bootstrap, topic)) == 2


def test_strict_stops_at_the_first_bad_record(ringback: Run, topic: str, bootstrap: str, tmp_path: Path) -> None:
    path = write(tmp_path / "f", [event(1), event(2, user={}), event(3)])
    status, out, err = ringback("feed", path, "-s", topic, "--strict")
    assert status == RUNTIME
    assert "1 record sent" in out
    assert "stopped at line 2" in err
    assert len(read_topic(bootstrap, topic)) == 1


def test_limit_and_rate(ringback: Run, topic: str, bootstrap: str, tmp_path: Path) -> None:
    path = write(tmp_path / "f", [event(number) for number in range(100)])
    status, out, _ = ringback("feed", path, "-s", topic, "--limit", "20", "--rate", "40")
    assert status == 0
    assert len(read_topic(bootstrap, topic)) == 20
    assert float(out.partition(" in ")[2].partition(" s ")[0]) >= 0.4


def test_an_unknown_source_is_told_with_what_was_meant(ringback: Run, topic: str, tmp_path: Path) -> None:
    status, _, err = ringback("feed", write(tmp_path / "f", [event(1)]), "-s", f"{topic}n")
    assert status == USAGE
    assert f"did you mean {topic}?" in err


def test_a_topic_that_does_not_exist_is_not_made_by_accident(
    ringback: Run, settings: Settings, bootstrap: str, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text(CONFIGURATION.format(prefix=prefix))
    assert ringback("apply", str(tmp_path / "c.yaml"))[0] == 0
    status, _, err = ringback("feed", write(tmp_path / "f", [event(1)]), "-s", f"{prefix}in")
    assert status == USAGE
    assert "ringback topics create" in err


def test_standard_input_is_fed_through_a_pipe(settings: Settings, topic: str, bootstrap: str) -> None:
    import os
    import subprocess
    import sys

    from tests.support.processes import ROOT

    told = subprocess.run(
        [sys.executable, "-m", "streams.cli.main", "feed", "-", "--source", topic],
        input=json.dumps(event(1)).encode() + b"\nnonsense\n",
        env=os.environ | environment(settings),
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert told.returncode == RUNTIME
    assert b"standard input:2 undecodable: not JSON" in told.stderr
    assert len(read_topic(bootstrap, topic)) == 1


def end_of(bootstrap: str, topic: str, partition: int) -> int:
    """The offset at which the next record of the partition will lie; 0 while nobody can tell."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "looks-only"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=5)[1])
    except KafkaException:
        return 0
    finally:
        consumer.close()


@pytest.fixture
def own(settings: Settings, make_settings: Callable[..., Settings]) -> Iterator[tuple[EmbeddedBroker, Settings]]:
    """A broker of this test's own, where nobody has made topics of the default names, and settings for it."""
    with EmbeddedBroker() as broker:
        yield broker, make_settings(bootstrap_servers=broker.bootstrap)


def test_before_the_first_apply_the_default_sources_are_fed_and_a_lost_broker_ends_it(
    own: tuple[EmbeddedBroker, Settings], start: Start, tmp_path: Path
) -> None:
    broker, settings = own
    making = start("topics", "create", with_settings=settings)
    eventually(lambda: not making.running, within=60)
    assert making.exit_code == 0
    records = [{"app_id": "g", "platform": "ios", "event_name": "x", "user_id": "u", "ios_ifv": "V-1"}] * 20_000
    arguments = ("feed", write(tmp_path / "f", records), "-s", "events", "--timeout", "3", "--rate", "200")
    feeding = start(*arguments, with_settings=settings)
    place = kafka.partition_of(b"g|v-1", settings.partitions)
    eventually(lambda: end_of(broker.bootstrap, "events", place) > 100, within=60)
    broker.kill()
    eventually(lambda: not feeding.running, within=60)
    assert feeding.exit_code == RUNTIME
    log = feeding.log_path.read_text()
    assert "Kafka has stopped taking records" in log
    assert "Traceback" not in log
