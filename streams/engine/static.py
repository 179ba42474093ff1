"""Static membership (`instance_id`): what aiokafka leaves out of it, so that of two processes with one id one goes.

aiokafka joins the group with the instance id and does not leave it when it ends, as it should be: a process that is
back within the session has its partitions again, and the others notice nothing. But its heartbeats do not carry the id.
Then the broker answers a process whose place another one has taken *unknown member*, as after a session that ran out,
and aiokafka joins anew, which puts the other one out, which does the same: for ever. With the id in the heartbeat the
answer is *fenced*, and the older process ends.

Commits of offsets do not carry it either, and one may be answered before the next heartbeat is sent: then the broker is
asked by a heartbeat at once, before aiokafka forgets who it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Protocol

from aiokafka.errors import KafkaError, UnknownMemberIdError
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, HeartbeatRequest_v1, HeartbeatResponse_v1
from aiokafka.protocol.types import Schema, String

#: Kafka's error code FENCED_INSTANCE_ID, which aiokafka has no name for.
FENCED = 82


class Response(HeartbeatResponse_v1):  # type: ignore[misc]
    """As version 1."""

    API_VERSION = 3


class Struct(RequestStruct):  # type: ignore[misc]
    """Version 3, the first with an instance id."""

    API_KEY = HeartbeatRequest.API_KEY
    API_VERSION = 3
    RESPONSE_TYPE = Response
    SCHEMA = Schema(
        *zip(HeartbeatRequest_v1.SCHEMA.names, HeartbeatRequest_v1.SCHEMA.fields, strict=True),
        ("group_instance_id", String("utf-8")),
    )


class NamedHeartbeat(Request[Struct]):  # type: ignore[misc]
    """aiokafka's heartbeat with the instance id."""

    API_KEY = HeartbeatRequest.API_KEY

    def __init__(self, plain: HeartbeatRequest, instance_id: str) -> None:
        self._fields = (plain._group, plain._generation_id, plain._member_id, instance_id)

    def build(self, request_struct_class: type[Struct]) -> Struct:
        return request_struct_class(*self._fields)


class Coordinator(Protocol):
    """What is changed of aiokafka's `GroupCoordinator`."""

    group_id: str
    generation: int
    member_id: str
    _send_req: Any


def name(coordinator: Coordinator, instance_id: str, fenced: Callable[[], object]) -> None:
    """Have the heartbeats carry the id; `fenced` is called, in the consumer's thread, when another process has it."""
    send = coordinator._send_req

    async def named(request: Any) -> Any:
        plain = isinstance(request, HeartbeatRequest)
        response = await send(NamedHeartbeat(request, instance_id) if plain else request)
        if getattr(response, "error_code", 0) == FENCED:
            fenced()
        if isinstance(request, OffsetCommitRequest) and _is_unknown(response):
            await ask()
        return response

    async def ask() -> None:
        heartbeat = HeartbeatRequest(coordinator.group_id, coordinator.generation, coordinator.member_id)
        with contextlib.suppress(KafkaError):
            if (await send(NamedHeartbeat(heartbeat, instance_id))).error_code == FENCED:
                fenced()

    coordinator._send_req = named


def _is_unknown(response: Any) -> bool:
    """Whether a commit of offsets was refused because the group does not know the member."""
    return any(code == UnknownMemberIdError.errno for _, partitions in response.topics for _, code in partitions)
