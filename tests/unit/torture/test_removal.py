"""That a run takes away what it made, and names what it could not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.demo.interrupts import Interrupts
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from streams.torture import removal
from streams.torture.fleet import Fleet
from streams.torture.site import Site
from tests.support.waiting import eventually

#: Says that it listens, and that it was told to end.
LISTENING = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: (print("told", flush=True), exit(0)))
print("ready", flush=True)
time.sleep(60)
"""


class Cluster:
    """Answers as an admin client does: for each group its errors in turn, and then nothing is wrong."""

    def __init__(self, topics: dict[str, int | None], **groups: list[int]) -> None:
        self.topics, self.groups, self.asked = topics, groups, list[list[str]]()

    def list_topics(self, timeout: float) -> Any:
        return SimpleNamespace(topics=self.topics)

    def delete_topics(self, names: list[str], operation_timeout: float) -> dict[str, Future[None]]:
        return {name: answer(self.topics[name]) for name in names}

    def delete_consumer_groups(self, names: list[str]) -> dict[str, Future[None]]:
        self.asked.append(names)
        return {name: answer(self.groups[name].pop(0) if self.groups[name] else None) for name in names}


def answer(code: int | None) -> Future[None]:
    future: Future[None] = Future()
    if code is None:
        future.set_result(None)
    else:
        future.set_exception(KafkaException(KafkaError(code)))
    return future


def removed(cluster: Any, *, hurry: bool = False) -> list[str]:
    return removal.remove(cluster, "torture-1", list(cluster.groups), lambda: hurry)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "LOOK_SECONDS", 0.0)


def test_a_group_is_tried_until_its_members_are_gone() -> None:
    cluster = Cluster({}, a=[KafkaError.NON_EMPTY_GROUP] * 3, b=[KafkaError.GROUP_ID_NOT_FOUND])
    assert removed(cluster) == []
    assert cluster.asked == [["a", "b"], ["a"], ["a"], ["a"]]


def test_nobody_in_a_hurry_waits_for_a_group() -> None:
    (left,) = removed(Cluster({}, a=[KafkaError.NON_EMPTY_GROUP] * 3), hurry=True)
    assert left.startswith("group a: ")


def test_what_is_refused_is_named_and_not_tried_again() -> None:
    topics = {"torture-1.a": None, "torture-1.b": KafkaError.TOPIC_AUTHORIZATION_FAILED, "other": None}
    groups = {"a": [KafkaError.NON_EMPTY_GROUP], "b": [KafkaError.GROUP_AUTHORIZATION_FAILED] * 2}
    cluster = Cluster(topics, **groups)
    assert [one.partition(":")[0] for one in removed(cluster)] == ["topic torture-1.b", "group b"]
    assert cluster.asked == [["a", "b"], ["a"]]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Two slots, whose processes listen."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    site = Site(Settings(), Interrupts())
    fleet = Fleet(site)
    for number in range(2):
        log = site.logs / f"{number}.log"
        process = fleet.slot(number).process = GuardedProcess([sys.executable, "-c", LISTENING], log, dict(os.environ))
        eventually(lambda process=process: "ready" in process.output())  # type: ignore[misc]
    yield fleet
    for slot in fleet.slots:
        if slot.process is not None:
            slot.process.kill()


def test_at_the_end_workers_are_told_so_that_they_leave_their_group(fleet: Fleet) -> None:
    standing, running = fleet.slots
    fleet.pause(standing)
    fleet.end()
    assert running.process is not None
    assert standing.process is not None
    assert (running.process.exit_code, standing.process.exit_code) == (0, 137)
    assert "told" in running.process.output()
    assert fleet.site.end(keep=False) == []
    assert not fleet.site.folder.exists()
