"""The two stages: what is assigned to each, and what they are called by."""

from __future__ import annotations

from typing import Any, cast

import pytest

from schemas.config import Source
from streams import kafka
from streams.engine.stages import Stage, Unit, changelog_topic, users_source
from streams.settings import Settings

SETTINGS = Settings(topic_prefix="p.", worker_id="w")
SOURCES = (Source(topic="installs", record="install"), Source(topic="events", record="event"))
DEVICE = Stage("device", SOURCES, 20, "w-device-changelog", cast(Any, None))
USER = Stage("user", (users_source(SETTINGS),), 16, "w-user-changelog", cast(Any, None), internal=True)


def test_each_stage_writes_under_its_own_name() -> None:
    units = [Unit("device", 3), Unit("user", 3)]
    assert [changelog_topic(SETTINGS, unit.stage) for unit in units] == ["w-device-changelog", "w-user-changelog"]
    assert list(map(str, units)) == ["partition 3", "user partition 3"]


def test_the_users_topic_is_assigned_by_itself() -> None:
    """With more than 16 input partitions it has fewer, and the group gives it out apart from them."""
    assigned = {("installs", 17), ("events", 17), ("p.users", 2), ("p.users", 0), ("elsewhere", 5)}
    assert (DEVICE.assigned(assigned), USER.assigned(assigned)) == ([17], [0, 2])
    assert (DEVICE.torn(assigned), USER.torn(assigned)) == ([], [])
    assert DEVICE.torn({("installs", 1), ("events", 1), ("events", 2), ("p.users", 1)}) == [2]


def test_partitions_that_were_added_since_the_start_are_known() -> None:
    assigned = {(topic, number) for topic in ("installs", "events") for number in (19, 20)} | {("p.users", 15)}
    assert (DEVICE.added(assigned), USER.added(assigned)) == ([20], [])


@pytest.mark.parametrize(("inputs", "expected"), [(1, 1), (3, 3), (16, 16), (17, 16), (100, 16)])
def test_users_lie_in_partitions_that_the_outputs_have_too(inputs: int, expected: int) -> None:
    """The user stage writes to the partition of its own number, of topics that have as many as the inputs."""
    count = kafka.users_partitions(inputs)
    assert count == expected
    assert (
        {kafka.partition_of(b"shop|%d" % user, count) for user in range(1000)}
        == set(range(count))
        <= set(range(inputs))
    )
