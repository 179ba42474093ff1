"""Questions that neither client library puts to Kafka, put to the brokers directly, with aiokafka's connections."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnsupportedVersionError,
    for_code,
)

from streams import kafka
from streams.settings import Settings

#: So long (seconds) the brokers have for an answer, unless somebody says otherwise.
ASK_S = 10.0

T = TypeVar("T")

#: What no waiting mends.
FINAL = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    IncompatibleBrokerVersion,
    UnsupportedVersionError,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    NotImplementedError,
)


class Away(Exception):
    """The brokers do not answer, or not yet with what was asked."""


class Refused(Exception):
    """The brokers do not do it, or not for us."""


def ask(
    settings: Settings,
    topics: Iterable[str],
    question: Callable[[AIOKafkaClient], Awaitable[T]],
    within: float = ASK_S,
) -> T:
    """The answer to a question that wants to know the leaders of these topics. Blocks `within` seconds at most, and
    belongs into a thread without an event loop. Raises `Away`, `Refused`.
    """

    async def connected() -> T:
        client = AIOKafkaClient(**kafka.aiokafka_settings(settings))
        try:
            await client.bootstrap()
            await client.set_topics(list(topics))
            return await question(client)
        finally:
            await client.close()

    try:
        return asyncio.run(asyncio.wait_for(connected(), within))
    except (KafkaError, NotImplementedError, OSError, TimeoutError) as error:
        told = f"{type(error).__name__} {error}".rstrip()
        raise (Refused(told) if isinstance(error, FINAL) else Away(told)) from error


def check(code: int) -> None:
    """Raises the error of this code, unless it is none."""
    error: Any = for_code(code)
    if error is not NoError:
        raise error


def by_topic(places: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """The numbers of partitions by their topics."""
    numbers = defaultdict(list)
    for topic, number in places:
        numbers[topic].append(number)
    return numbers
