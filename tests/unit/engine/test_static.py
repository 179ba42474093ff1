"""With an instance id, a process that another one has replaced learns of it from whatever the group answers first."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import UnknownMemberIdError
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest

from streams.engine import static


class Group:
    """The group as a coordinator hears it: it knows no member `old` any more, `why` it says to who names himself."""

    group_id, generation, member_id = "g", 3, "old"

    def __init__(self, why: int) -> None:
        self.why, self.asked = why, []  # type: ignore[var-annotated]

    async def _send_req(self, request: Any) -> Any:
        self.asked.append(type(request).__name__)
        if isinstance(request, OffsetCommitRequest):
            return SimpleNamespace(topics=[("events", [(0, 0), (1, UnknownMemberIdError.errno)])])
        return SimpleNamespace(error_code=self.why)


@pytest.mark.parametrize(("why", "replaced"), [(static.FENCED, True), (UnknownMemberIdError.errno, False)])
@pytest.mark.parametrize("heartbeat", [False, True])
async def test_who_was_replaced_is_told_and_whose_session_ran_out_is_not(why: int, replaced: bool, heartbeat: bool):
    group, told = Group(why), []  # type: ignore[var-annotated]
    static.name(group, "one", lambda: told.append("fenced"))
    request = HeartbeatRequest("g", 3, "old") if heartbeat else OffsetCommitRequest("g", 3, "old", -1, [])
    await group._send_req(request)
    assert bool(told) is replaced
    assert group.asked == (["NamedHeartbeat"] if heartbeat else ["OffsetCommitRequest", "NamedHeartbeat"])
