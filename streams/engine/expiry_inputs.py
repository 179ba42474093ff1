"""How far the device stage of all workers has come: what the sweep of the users must know.

A user's records come from devices in any partition, and one that lags behind may still tell of a record that was
appended long ago. So a user may only be deleted by append times that every partition of the inputs has been read past,
whoever has it; the group's offsets tell that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from streams import kafka
from streams.engine import asking
from streams.engine.stages import Input
from streams.settings import Settings

log = logging.getLogger(__name__)

ASK_S = 10.0
#: As the brokers say it: no record is that young.
NONE = -1

Offsets = dict[tuple[str, int], int]


def all_past(begins: Mapping[Input, int], applied: Mapping[Input, int], first_after: Mapping[Input, int]) -> bool:
    """Whether nothing is left to apply before `first_after` in any partition. Pure; −1 in `applied`: nothing was."""
    return all(max(applied[one], begins[one]) >= first_after[one] for one in first_after)


class InputsApplied:
    """Asks the brokers. Its methods block, for seconds when they are away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._group: Consumer | None = None

    def before(self, inputs: Iterable[Input], appended: int) -> bool:
        """Whether the device stage has applied everything in these partitions that was appended before this time. When
        the brokers do not answer: no.

        The end of a transaction behind the last record of a partition is never applied: such a partition only counts as
        read when something younger follows.
        """
        try:
            return self._ask([TopicPartition(topic, number) for topic, number in inputs], appended)
        except (KafkaException, TimeoutError) as error:
            log.info("how far the inputs have been read cannot be looked up: %s", error)
            return False

    def _ask(self, asked: list[Any], appended: int) -> bool:
        if self._group is None:
            self._group = Consumer(kafka.asking_settings(self._settings, self._settings.worker_id))
        # The offsets first: what is applied later than they say only makes them safer.
        answer = self._group.committed(asked, timeout=ASK_S)
        applied = {(one.topic, one.partition): one.offset for one in answer if one.error is None}
        admin = asking.client(self._settings)
        spec: Any = OffsetSpec
        begins = self._offsets(admin, asked, spec.earliest())
        ends = self._offsets(admin, asked, spec.latest())
        found = self._offsets(admin, asked, spec.for_timestamp(appended))
        first_after = {one: ends[one] if offset == NONE else offset for one, offset in found.items()}
        return all_past(begins, {one: applied.get(one, NONE) for one in found}, first_after)

    @staticmethod
    def _offsets(admin: AdminClient, asked: Iterable[Any], spec: Any) -> Offsets:
        answers = admin.list_offsets(dict.fromkeys(asked, spec), request_timeout=ASK_S)
        return {(one.topic, one.partition): future.result(ASK_S * 2).offset for one, future in answers.items()}
