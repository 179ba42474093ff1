"""What the transactional producer does about trouble before its next transaction."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from streams import direct
from streams.delivery import coordinator, outcomes
from streams.delivery.outcomes import Fatal, Transactions
from streams.delivery.unended import POSITIONS, End, Place, Unended
from streams.settings import Settings
from tests.support.waiting import eventually


@pytest.fixture
def nowhere() -> Iterator[Settings]:
    """Settings for a broker to which every connection breaks."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Settings(bootstrap_servers=f"127.0.0.1:{bound.getsockname()[1]}", topic_prefix="nowhere.")


class Coordinator:
    """Notes what it is asked to end; is away afterwards."""

    def __init__(self) -> None:
        self.ended: list[tuple[frozenset[Place], End]] = []

    def end_in(self, settings: Settings, transactional_id: str, places: frozenset[Place], end: End) -> None:
        self.ended.append((places, end))
        raise direct.Away("no coordinator")


def test_after_a_connection_broke_what_may_hang_is_ended_first(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults D5. While that waits for the coordinator, no transaction begins."""
    monkeypatch.setattr(outcomes, "GIVE_UP_SECONDS", 0.1)
    asked = Coordinator()
    monkeypatch.setattr(coordinator, "end_in", asked.end_in)
    unended = Unended()
    unended.began([("retry", 0), POSITIONS])
    unended.ended("committed")
    transactions = Transactions(nowhere, "one", lambda _: None, unended)
    try:
        eventually(lambda: transactions._producer.poll(0.05) >= 0 and transactions._trouble.seen, within=10)
        with pytest.raises(Fatal, match="no coordinator"):
            transactions([], [])
    finally:
        transactions.discard()
    assert set(asked.ended) == {(frozenset({("retry", 0), POSITIONS}), "committed")}
    assert unended.wanted == "committed"
