"""Which transaction a record belongs to. Kafka's clients do not say; so the first record of a transaction in each
partition says it, in a header. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

HEADER = "transaction"


class Token(NamedTuple):
    """A try to write a transaction: no other one of this transactional id has the `number`. `ends`: the partitions of
    changelogs that have something of it.
    """

    by: str
    number: int
    ends: tuple[tuple[str, int], ...]

    def encode(self) -> bytes:
        numbers = defaultdict(list)
        for topic, partition in self.ends:
            numbers[topic].append(partition)
        return msgspec.json.encode({"by": self.by, "number": self.number, "ends": numbers})

    @classmethod
    def decode(cls, value: bytes) -> Token | None:
        """None: it is none."""
        try:
            written = msgspec.json.decode(value, type=_Written)
        except msgspec.MsgspecError:
            return None
        ends = tuple((topic, number) for topic, numbers in written.ends.items() for number in numbers)
        return cls(written.by, written.number, ends)


class _Written(msgspec.Struct):
    by: str
    number: int
    ends: dict[str, list[int]]


def headers(token: Token) -> list[tuple[str, bytes]]:
    """What a record carries."""
    return [(HEADER, token.encode())]


def carried(headers: Any) -> Token | None:
    """What a record with these headers, pairs of name and value, or with none, carries."""
    for name, value in headers or ():
        if name == HEADER and isinstance(value, bytes):
            return Token.decode(value)
    return None


def one_for_each(ends: Collection[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """`ends` in one order, each once, so that all records of a transaction carry the same."""
    return tuple(sorted(set(ends)))
