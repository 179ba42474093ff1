"""Claims, as they are read in order, and fencing."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine import fate
from streams.engine.owners import Claim, Claims, Owners
from streams.engine.producer import TransactionalProducer
from streams.engine.stages import Unit
from streams.settings import Settings
from tests.support.waiting import eventually

UNITS = [Unit("device", 1), Unit("device", 11), Unit("user", 1)]
claims = st.builds(Claim, st.sampled_from(UNITS), st.sampled_from(["a", "b", "a-b"]))


def test_names_come_in_the_order_of_the_claims() -> None:
    read = Claims()
    for name in ("b", "a", "c"):
        read.add(Claim(UNITS[0], name).encode(), True)
    read.add(Claim(UNITS[0], "b").encode(), True)
    assert read.names(UNITS[0]) == ["a", "c", "b"]


@given(st.lists(st.tuples(claims, st.booleans())))
def test_a_claim_stands_until_it_is_withdrawn_and_concerns_its_own_partition_only(
    records: list[tuple[Claim, bool]],
) -> None:
    read = Claims()
    standing: set[Claim] = set()
    for claim, stands in records:
        read.add(claim.encode(), stands)
        (standing.add if stands else standing.discard)(claim)
    for unit in UNITS:
        assert set(read.names(unit)) == {claim.name for claim in standing if claim.unit == unit}


def test_who_claims_later_or_has_taken_over_already_is_not_before() -> None:
    """Two that fence each other off would do so again and again."""
    read = Claims()
    for name in ("a", "b", "c"):
        read.add(Claim(UNITS[0], name).encode(), True)
    assert read.before(Claim(UNITS[0], "b")) == ["a"]
    for name in ("a", "b"):
        read.add(Claim(UNITS[0], name).encode(), False)
    assert read.before(Claim(UNITS[0], "b")) == []
    assert read.before(Claim(UNITS[0], "c")) == []


def test_read_once_more_from_the_beginning_what_is_not_there_any_more_stands_ahead_of_what_is() -> None:
    read = Claims()
    for offset, name in enumerate("abc"):
        read.add(Claim(UNITS[0], name).encode(), True, offset)
    for offset, (name, stands) in enumerate([("x", True), ("b", True), ("c", False)]):
        read.add(Claim(UNITS[0], name).encode(), stands, offset)
    assert read.names(UNITS[0]) == ["a", "x", "b"]
    assert [read.offset(Claim(UNITS[0], name)) for name in "xbc"] == [0, 1, None]


class Coordinators:
    """Producers that start when they may: who is at it, and who has been."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at: list[str] = []
        self.done: list[str] = []
        self.gates = {name: threading.Event() for name in ("slow", "other")}
        outer = self

        def start(producer: TransactionalProducer, stopped: Any) -> None:
            name = producer.transactional_id
            outer.at.append(name)
            assert outer.gates[name].wait(60)
            outer.done.append(name)

        monkeypatch.setattr(TransactionalProducer, "start", start)


def test_different_ids_are_fenced_off_side_by_side_and_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose coordinator is away must not keep partitions of others from being opened."""
    kafka = Coordinators(monkeypatch)
    owners = Owners(Settings(), cast(Any, None))
    slow = [threading.Thread(target=owners.fence, args=("slow", fate.never), daemon=True) for _ in range(2)]
    for one in slow:
        one.start()
    eventually(lambda: kafka.at == ["slow"], within=10, what="the slow one is being fenced off")
    kafka.gates["other"].set()
    other = threading.Thread(target=owners.fence, args=("other", fate.never), daemon=True)
    other.start()
    eventually(lambda: kafka.done == ["other"], within=10, what="the other one is fenced off meanwhile")
    kafka.gates["slow"].set()
    for one in slow:
        one.join(10)
    assert kafka.at == ["slow", "other"], "each once"
