"""The coordinator of a transactional id: asked how its newest transaction stands, and told how that is to end.

Neither client library asks (DescribeTransactions), or has a transaction end in partitions to which it has written
nothing: to join a partition to a transaction and to end it writes the end there, and nothing else. Readers see no
record of it. It wants no other rights than the sender's producer has.

All functions block, for `WITHIN_S` at most, and raise `direct.Away` and `direct.Refused`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    NoError,
    OperationNotAttempted,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.transaction import AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

from streams import direct
from streams.settings import Settings

from .unended import OFFSETS, POSITIONS, End, Newest, Place

WITHIN_S = 5.0
#: Before what has changed is looked at again (seconds).
PAUSE_S = 0.02

#: As the protocol has the kinds of coordinators.
_TRANSACTION = 1
#: Errors that aiokafka does not name.
_PRODUCER_FENCED, _ID_NOT_FOUND = 90, 105
#: The transaction is not as it was a moment ago: it has been ended meanwhile.
_CHANGED = (InvalidTxnState.errno, InvalidProducerEpoch.errno, InvalidProducerIdMapping.errno, _PRODUCER_FENCED)
_UNJOINED = (UnknownTopicOrPartitionError.errno, TopicAuthorizationFailedError.errno)

#: A transaction that is open has no end yet; the others do, though not all partitions may have it.
_ENDS: dict[str, End] = {
    "PrepareCommit": "committed",
    "CompleteCommit": "committed",
    "PrepareAbort": "aborted",
    "PrepareEpochFence": "aborted",
    "CompleteAbort": "aborted",
}
_OPEN = "Ongoing"
#: In these the coordinator still tells where a transaction has written.
_PLACED = frozenset({_OPEN, "PrepareCommit", "PrepareAbort", "PrepareEpochFence"})

_TAGS = ("tags", TaggedFields)
_NAME = CompactString("utf-8")


class _DescribeResponse(Response):  # type: ignore[misc]
    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transaction_states",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", _NAME),
                ("transaction_state", _NAME),
                ("transaction_timeout_ms", Int32),
                ("transaction_start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("topics", CompactArray(("topic", _NAME), ("partitions", CompactArray(Int32)), _TAGS)),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _DescribeStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 65
    API_VERSION = 0
    RESPONSE_TYPE = _DescribeResponse
    SCHEMA = Schema(("transactional_ids", CompactArray(_NAME)), _TAGS)


class _Describe(Request[_DescribeStruct]):  # type: ignore[misc]
    API_KEY = 65

    def __init__(self, transactional_id: str) -> None:
        self._id = transactional_id

    def build(self, request_struct_class: type[_DescribeStruct]) -> _DescribeStruct:
        return request_struct_class([self._id], {})


class _State(NamedTuple):
    """As the coordinator has it. `producer`: its number and epoch."""

    name: str
    producer: tuple[int, int]
    places: frozenset[Place]


class _Asking:
    """Questions over one connection to the coordinator of this id."""

    def __init__(self, client: AIOKafkaClient, transactional_id: str) -> None:
        self._client, self._id = client, transactional_id
        self._node: int | None = None

    async def _send(self, request: Any) -> Any:
        if self._node is None:
            self._node = await self._client.coordinator_lookup(_TRANSACTION, self._id)
        return await self._client.send(self._node, request)

    async def state(self) -> _State | None:
        """None: it knows of none."""
        [found] = (await self._send(_Describe(self._id))).transaction_states
        code, _, name, _, _, producer, epoch, topics, _ = found
        if code == _ID_NOT_FOUND:
            return None
        direct.check(code)
        places = ((topic, number) for topic, numbers, _ in topics for number in numbers)
        return _State(name, (producer, epoch), frozenset(_place(*place) for place in places))

    async def end(self, producer: tuple[int, int], end: End) -> bool:
        """Whether it ends so; False: it has been ended meanwhile."""
        answer = await self._send(EndTxnRequest(self._id, *producer, end == "committed"))
        if answer.error_code in _CHANGED:
            return False
        direct.check(answer.error_code)
        return True

    async def join(self, producer: tuple[int, int], places: Collection[Place]) -> frozenset[Place]:
        """Join partitions to the transaction. All or none; returns those for which it is none."""
        answer = await self._send(AddPartitionsToTxnRequest(self._id, *producer, list(direct.by_topic(places).items())))
        codes = {(topic, number): code for topic, numbers in answer.errors for number, code in numbers}
        unjoined = frozenset(place for place, code in codes.items() if code in _UNJOINED)
        for code in codes.values():
            if code not in (NoError.errno, OperationNotAttempted.errno, *_UNJOINED):
                _check(code)
        return unjoined

    async def join_positions(self, producer: tuple[int, int], group: str) -> bool:
        """Join the partition that keeps the positions of this group; False: we may not."""
        code: int = (await self._send(AddOffsetsToTxnRequest(self._id, *producer, group))).error_code
        if code != GroupAuthorizationFailedError.errno:
            _check(code)
        return bool(code != GroupAuthorizationFailedError.errno)


def newest(settings: Settings, transactional_id: str, end: End) -> Newest:
    """How the newest transaction of this id ends. One that is open is ended as `end` says, before its producer can."""

    async def question(client: AIOKafkaClient) -> Newest:
        asking = _Asking(client, transactional_id)
        open_in: frozenset[Place] | None = None
        while (state := await asking.state()) is not None:
            places = state.places if state.name in _PLACED else open_in
            if state.name != _OPEN:
                return Newest(_ENDS.get(state.name), places)
            if await asking.end(state.producer, end):
                return Newest(end, places)
            # Its producer, or its time, was sooner.
            open_in = places
            await asyncio.sleep(PAUSE_S)
        return Newest(None)

    return direct.ask(settings, [], question, WITHIN_S)


def end_in(settings: Settings, transactional_id: str, places: Collection[Place], end: End) -> frozenset[Place]:
    """End what the producer has open in these partitions, and nobody knows of any more; while it has no transaction
    under way. Returns those that cannot be ended. May be done again whatever came of it.
    """

    async def question(client: AIOKafkaClient) -> frozenset[Place]:
        asking = _Asking(client, transactional_id)
        state = await asking.state()
        if state is None:
            raise direct.Refused("the coordinator knows of no producer with this id")
        joined = {place for place in places if place != POSITIONS}
        while joined and (those := await asking.join(state.producer, joined)):
            joined -= those
        if POSITIONS in places and await asking.join_positions(state.producer, settings.sender_group):
            joined.add(POSITIONS)
        if joined and not await asking.end(state.producer, end):
            raise direct.Refused("the coordinator has taken the transaction from us")
        return frozenset(places) - joined

    return direct.ask(settings, [], question, WITHIN_S)


def _place(topic: str, number: int) -> Place:
    return POSITIONS if topic == OFFSETS else (topic, number)


def _check(code: int) -> None:
    direct.check(InvalidProducerEpoch.errno if code == _PRODUCER_FENCED else code)
