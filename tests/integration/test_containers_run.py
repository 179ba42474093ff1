"""The containers of the compose file do what it says, run as plain processes with their very commands, environments and
health checks: from an empty broker to a postback at the partner, and to an orderly end.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from streams.errors import USAGE
from streams.local import server
from tests.support import compose
from tests.support.containers import SETUP_SECONDS, Stack, stack
from tests.support.waiting import eventually

EXAMPLE = "/examples/first-postback"
OWN_SOURCES = "sources:\n  - {topic: shop.installs, record: install}\n  - {topic: shop.events, record: event}\n"
POSTBACKS = ["/install", "/payment", "/payments", "/payments"]


def listeners(made: Stack) -> list[tuple[int, int]]:
    """For the listener of the containers and that of the host: its port, and the port that it tells its clients."""
    found = []
    for inside in ("19092", "9092"):
        port = int(made.ports[inside])
        metadata = AdminClient({"bootstrap.servers": f"{server.HOST}:{port}"}).list_topics(timeout=10)
        found += [(port, broker.port) for broker in metadata.brokers.values()]
    return found


def received(made: Stack) -> list[str]:
    """The paths that the partner was asked for, in order of their names."""
    lines = made.processes["partner"].output().splitlines()[1:]
    return sorted(line.partition("\t")[2].partition("?")[0] for line in lines)


@pytest.mark.timeout(240)
def test_the_containers_bring_a_postback_to_the_partner(tmp_path: Path) -> None:
    with stack(tmp_path / "stack") as made:
        assert not made.healthy("kafka")
        made.start_broker()
        made.wait_healthy("kafka", within=60)
        assert all(told == port for port, told in listeners(made))

        assert made.run("image").startswith("ringback ")
        for _ in range(2):
            assert "generation 1 " in made.run("apply")
            topics = made.run("topics")
        assert topics.startswith("all ")
        for name in ("worker", "sender", "partner"):
            assert not made.healthy(name)
            made.start(name)
        for name in ("worker", "sender", "partner"):
            made.wait_healthy(name, within=60)

        for topic in ("installs", "events"):
            made.run("ringback", "feed", f"{EXAMPLE}/{topic}.jsonl", "--source", topic)
        eventually(lambda: len(received(made)) >= len(POSTBACKS), within=45, what="the postbacks arrive")
        assert received(made) == POSTBACKS

        assert {name: made.stop(name) for name in ("worker", "sender", "partner")} == {
            "worker": 0,
            "sender": 0,
            "partner": 0,
        }
        # A JVM says with 143 that it ended in order by SIGTERM.
        assert made.stop("kafka") in (0, 143)
        # The worker keeps its state where the volume is mounted, and nobody writes anywhere else.
        assert list((made.folder / "state").iterdir())
        assert list((made.folder / "home").iterdir()) == []


@pytest.mark.timeout(240)
def test_a_configuration_may_have_sources_of_its_own(tmp_path: Path) -> None:
    with stack(tmp_path / "stack") as made:
        (given,) = (made.folder / "config").iterdir()
        given.write_text(OWN_SOURCES + given.read_text())
        made.start_broker()
        made.wait_healthy("kafka", within=60)
        made.run("apply")
        created = made.run("topics")
        assert all(f"created {name} " in created for name in ("shop.installs", "shop.events", "ringback.delivery"))
        assert "created installs " not in created
        made.start("worker")
        made.wait_healthy("worker", within=60)

        # After a change of the folder. What it takes away is removed only by the command that the header tells.
        given.write_text(
            OWN_SOURCES.replace("shop.events", "shop.orders") + given.read_text().removeprefix(OWN_SOURCES)
        )
        assert made.start("apply").wait(SETUP_SECONDS) == USAGE
        prune = re.findall(r"run --rm ringback (apply .*)$", compose.FILE.read_text(), re.MULTILINE)
        made.run("ringback", *prune[0].split())
        made.run("apply")
        assert "created shop.orders " in made.run("topics")


def test_what_differs_from_the_containers_is_only_where_things_are(tmp_path: Path) -> None:
    """The stand-in replaces places and nothing else, or the test above would prove less than it says."""
    with stack(tmp_path / "stack") as made:
        back = {str(outside): inside for inside, outside in made.ports.items()}
        for name, service in made.services.items():
            if not service["image"].startswith("ringback:"):
                continue
            written = service.get("environment", {})
            assert made.environment(name).keys() >= written.keys()
            same = {key for key in written if made.environment(name)[key] in (written[key], *back)}
            assert written.keys() - same <= {"RINGBACK_BOOTSTRAP_SERVERS", "RINGBACK_EGRESS_ALLOW"}
        assert made.words("worker") == ["ringback", "worker"]
        assert "http://partner" not in json.dumps([path.read_text() for path in (made.folder / "config").iterdir()])
