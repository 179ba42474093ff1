"""`ringback topics` on the real broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from streams import broker, kafka, topics
from streams.errors import RUNTIME, Stop
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.topics import create_topics

__all__ = ["ringback"]


@pytest.fixture
def admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap})


def names(settings: Settings) -> list[str]:
    return [row.name for row in kafka.topic_table(settings.topic_prefix)]


@pytest.fixture
def inputs(ringback: Run, prefix: str, tmp_path: Path) -> list[str]:
    """The topics of the configured sources, which do not exist yet."""
    sources = [f"{prefix}in", f"{prefix}ev"]
    text = "sources: [{{topic: {}, record: install}}, {{topic: {}, record: event}}]\n".format(*sources)
    (tmp_path / "sources.yaml").write_text(text)
    status, _, err = ringback("apply", str(tmp_path / "sources.yaml"))
    assert status == 0, err
    return sources


def test_everything_is_made_once_and_kept_as_the_table_says(
    ringback: Run, settings: Settings, admin: AdminClient, inputs: list[str]
) -> None:
    status, out, err = ringback("topics", "create", "--dry-run")
    assert status == 0, err
    assert f"would create {settings.topic_prefix}delivery (4 partitions)" in out
    assert list(topics.look(admin, [*inputs, *names(settings)])) == [f"{settings.topic_prefix}config"]

    assert ringback("topics", "create")[0] == 0
    found = topics.look(admin, [*inputs, *names(settings)])
    assert [found[topic].partitions for topic in inputs] == [4, 4]
    for row in kafka.topic_table(settings.topic_prefix):
        assert found[row.name].partitions == row.partitions(4)
        assert row.config().items() <= dict(found[row.name].config).items()

    status, out, _ = ringback("topics", "create")
    assert (status, out) == (0, f"all {len(found)} topics are there\n")
    assert ringback("topics", "list")[0] == 0


def test_input_topics_of_unequal_counts_are_refused_with_the_remedy(
    ringback: Run, bootstrap: str, inputs: list[str]
) -> None:
    create_topics(bootstrap, {inputs[0]: 2, inputs[1]: 3})
    status, _, err = ringback("topics", "create")
    assert status == RUNTIME
    assert f"{inputs[0]}: has 2 partitions, {inputs[1]} has 3" in err
    assert "rekey: true" in err


def test_a_topic_that_does_not_fit_is_refused_and_nothing_is_made(
    ringback: Run, settings: Settings, bootstrap: str, admin: AdminClient, inputs: list[str]
) -> None:
    odd = kafka.Topics(settings.topic_prefix).control
    create_topics(bootstrap, {odd: 3})
    status, _, err = ringback("topics", "create")
    assert status == RUNTIME
    assert f"{odd}: has 3 partitions, expected 1" in err
    assert "RINGBACK_TOPIC_PREFIX" in err
    assert topics.look(admin, [*inputs, kafka.Topics(settings.topic_prefix).delivery]) == {}
    status, out, _ = ringback("topics", "list")
    assert status == RUNTIME
    assert "missing" in out


def test_more_replicas_than_brokers_is_told_with_the_setting(settings: Settings, admin: AdminClient) -> None:
    wanted = [topics.Wanted(f"{settings.topic_prefix}x", 1, True, {})]
    with pytest.raises(Stop, match="could not be created") as caught:
        topics.create(admin, wanted, 3)
    assert "RINGBACK_REPLICATION" in caught.value.remedy


def test_a_topic_that_somebody_made_in_between_is_as_good(settings: Settings, admin: AdminClient) -> None:
    wanted = [topics.Wanted(f"{settings.topic_prefix}x", 2, True, {})]
    topics.create(admin, wanted, 1)
    topics.create(admin, wanted, 1)


def test_a_broker_that_answers_is_reached_at_once(settings: Settings) -> None:
    told: list[str] = []
    broker.reach(settings, 10, told.append)
    assert told == []
