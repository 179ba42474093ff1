"""A process asks the brokers through one client, which believes nothing for long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import IsolationLevel
from confluent_kafka.admin import AdminClient, NewPartitions

from streams.engine import asking, fate
from streams.settings import Settings
from tests.support.topics import create_topics

LEVEL = IsolationLevel.READ_COMMITTED


def test_all_threads_ask_through_one_client_that_knows_the_brokers(settings: Settings) -> None:
    """A new one that is asked at once waits for seconds now and then."""
    topic = f"{settings.topic_prefix}asked"
    create_topics(settings.bootstrap_servers, {topic: 4})
    asking._kept.clear()

    def ask(number: int) -> AdminClient:
        client = asking.client(settings)
        assert fate.ends(client, [(topic, number)], LEVEL, fate.never) == {(topic, number): 0}
        return client

    with ThreadPoolExecutor(4) as threads:
        asked = list(threads.map(ask, [0, 1, 2, 3] * 5))
    assert len({id(client) for client in asked}) == 1
    other = settings.model_copy(update={"kafka_options": {"client.id": "another"}})
    assert asking.client(other) is not asked[0]


def test_partitions_that_came_since_are_seen_by_the_client_that_is_kept(settings: Settings) -> None:
    """By default it would say for a quarter of an hour that they are not there, and nobody would look for what hangs
    in them.
    """
    topic = f"{settings.topic_prefix}grows"
    create_topics(settings.bootstrap_servers, {topic: 1})
    client = asking.client(settings)
    assert fate.ends(client, [(topic, 0)], LEVEL, fate.never) == {(topic, 0): 0}
    for grown in client.create_partitions([NewPartitions(topic, 2)]).values():
        grown.result()
    assert fate.ends(client, [(topic, 0), (topic, 1)], LEVEL, fate.never) == {(topic, 0): 0, (topic, 1): 0}
    # One that there never was is told apart from it, sooner or later.
    assert fate.ends(client, [(topic, 0), (topic, 7)], LEVEL, fate.never) == {(topic, 0): 0}
