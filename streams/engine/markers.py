"""The ends of transactions in partitions, as brokers have them: which are missing, and writing one that was promised.

Neither client library has these two requests of Kafka's, DescribeProducers and WriteTxnMarkers. What
`kafka-transactions.sh` does with them to abort is done here to commit. All functions block for as long as the brokers
take to answer, at most `ASK_S` each.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, NamedTuple, TypeVar

from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidProducerEpoch,
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    TopicAuthorizationFailedError,
    UnsupportedVersionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from streams import kafka
from streams.settings import Settings

ASK_S = 10.0

Input = tuple[str, int]
T = TypeVar("T")

#: What no waiting mends.
FINAL = (
    ClusterAuthorizationFailedError,
    TopicAuthorizationFailedError,
    IncompatibleBrokerVersion,
    UnsupportedVersionError,
    InvalidProducerEpoch,
    NotImplementedError,
)


class Away(Exception):
    """The brokers do not answer, or not yet with what was asked."""


class Refused(Exception):
    """The brokers do not do it, or not for us."""


class Open(NamedTuple):
    """A transaction that has not ended in a partition: of which producer, and where it begins. `coordinator`: which one
    has ended something of this producer there last, -1 when none has.
    """

    producer: int
    epoch: int
    coordinator: int
    start: int


_TAGS = ("tags", TaggedFields)
_NAME = CompactString("utf-8")


class _DescribeResponse(Response):  # type: ignore[misc]
    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", _NAME),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("error_code", Int16),
                        ("error_message", _NAME),
                        (
                            "active_producers",
                            CompactArray(
                                ("producer_id", Int64),
                                ("producer_epoch", Int32),
                                ("last_sequence", Int32),
                                ("last_timestamp", Int64),
                                ("coordinator_epoch", Int32),
                                ("current_txn_start_offset", Int64),
                                _TAGS,
                            ),
                        ),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _DescribeStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 61
    API_VERSION = 0
    RESPONSE_TYPE = _DescribeResponse
    SCHEMA = Schema(("topics", CompactArray(("name", _NAME), ("partitions", CompactArray(Int32)), _TAGS)), _TAGS)


class _Describe(Request[_DescribeStruct]):  # type: ignore[misc]
    API_KEY = 61

    def __init__(self, places: Iterable[Input]) -> None:
        self._topics: list[Any] = [(topic, numbers, {}) for topic, numbers in _by_topic(places).items()]

    def build(self, request_struct_class: type[_DescribeStruct]) -> _DescribeStruct:
        return request_struct_class(self._topics, {})


class _EndResponse(Response):  # type: ignore[misc]
    API_KEY = 27
    API_VERSION = 1
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                (
                    "topics",
                    CompactArray(
                        ("name", _NAME),
                        ("partitions", CompactArray(("partition_index", Int32), ("error_code", Int16), _TAGS)),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _EndStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 27
    API_VERSION = 1
    RESPONSE_TYPE = _EndResponse
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("committed", Boolean),
                ("topics", CompactArray(("name", _NAME), ("partitions", CompactArray(Int32)), _TAGS)),
                ("coordinator_epoch", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _End(Request[_EndStruct]):  # type: ignore[misc]
    API_KEY = 27

    def __init__(self, place: Input, of: Open) -> None:
        topics: list[Any] = [(place[0], [place[1]], {})]
        self._marker: tuple[Any, ...] = (of.producer, of.epoch, True, topics, max(0, of.coordinator), {})

    def build(self, request_struct_class: type[_EndStruct]) -> _EndStruct:
        return request_struct_class([self._marker], {})


def open_in(settings: Settings, places: Collection[Input]) -> dict[Input, list[Open]]:
    """The transactions that have not ended in these partitions; of those that we may read. Raises `Away`, `Refused`."""

    async def ask(client: AIOKafkaClient) -> dict[Input, list[Open]]:
        found: dict[Input, list[Open]] = {}
        for leader, led in _by_leader(client, places).items():
            answer = await client.send(leader, _Describe(led))
            for name, partitions, _ in answer.topics:
                for number, code, _, producers, _ in partitions:
                    if code == TopicAuthorizationFailedError.errno:
                        continue
                    _check(code)
                    rows = [Open(row[0], row[1], row[4], row[5]) for row in producers]
                    found[name, number] = [one for one in rows if one.start >= 0]
        return found

    return _asked(settings, places, ask)


def commit(settings: Settings, place: Input, of: Open) -> None:
    """Let this transaction end in this partition, as committed; nothing happens when it has ended. Raises `Away`, and
    `Refused`: it wants the right Alter on the cluster.
    """

    async def ask(client: AIOKafkaClient) -> None:
        [leader] = _by_leader(client, [place])
        answer = await client.send(leader, _End(place, of))
        for _, topics, _ in answer.markers:
            for code in (code for _, partitions, _ in topics for _, code, _ in partitions):
                _check(code)

    _asked(settings, [place], ask)


def _asked(settings: Settings, places: Iterable[Input], ask: Callable[[AIOKafkaClient], Awaitable[T]]) -> T:
    async def connected() -> T:
        client = AIOKafkaClient(**kafka.aiokafka_settings(settings))
        try:
            await client.bootstrap()
            await client.set_topics(list(_by_topic(places)))
            return await ask(client)
        finally:
            await client.close()

    try:
        return asyncio.run(asyncio.wait_for(connected(), ASK_S))
    except (KafkaError, NotImplementedError, OSError, TimeoutError) as error:
        told = f"{type(error).__name__} {error}".rstrip()
        raise (Refused(told) if isinstance(error, FINAL) else Away(told)) from error


def _by_leader(client: AIOKafkaClient, places: Iterable[Input]) -> dict[int, list[Input]]:
    leaders = defaultdict(list)
    for place in places:
        leader = client.cluster.leader_for_partition(TopicPartition(*place))
        if leader is None or leader < 0:
            raise LeaderNotAvailableError(f"{place[0]} partition {place[1]}")
        leaders[leader].append(place)
    return leaders


def _by_topic(places: Iterable[Input]) -> dict[str, list[int]]:
    numbers = defaultdict(list)
    for topic, number in places:
        numbers[topic].append(number)
    return numbers


def _check(code: int) -> None:
    error: Any = for_code(code)
    if error is not NoError:
        raise error
