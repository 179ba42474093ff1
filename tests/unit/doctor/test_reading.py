"""What could be read in time is given; which partitions were not read to their end is told."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Message

from streams.doctor import reading


class Slow:
    """A consumer that has the first partition's records at once, and never the other's."""

    def __init__(self) -> None:
        self.left = [Message(topic="in", partition=0, offset=offset, value=b"x") for offset in range(3)]  # type: ignore[call-arg]

    def consume(self, most: int, seconds: float) -> list[Message]:
        given, self.left = self.left, []
        return given


def until(ends: dict[tuple[str, int], int], read: list[int]) -> None:
    consumer: Consumer = Slow()  # type: ignore[assignment]
    for message in reading.until(consumer, ends, 0.05):
        read.append(message.offset() or 0)


def test_partitions_that_are_too_slow_are_named_after_what_was_read() -> None:
    read: list[int] = []
    with pytest.raises(reading.Unread) as raised:
        until({("in", 0): 3, ("in", 1): 3}, read)
    assert (read, raised.value.places) == ([0, 1, 2], (("in", 1),))


def test_what_came_after_the_end_is_not_read() -> None:
    read: list[int] = []
    until({("in", 0): 2}, read)
    assert read == [0, 1]
