"""How long a sender is without partitions while they are given out anew."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest

from streams.delivery.consumer import Intake, Taken
from streams.delivery.offsets import Tracker
from streams.metrics import Metrics
from streams.settings import Settings
from tests.support.sending import Bench
from tests.support.waiting import eventually

#: What is under way takes so long (seconds): longer than the consumer waits for records.
DRAIN = 0.05


@pytest.fixture
def bench(settings: Settings) -> Bench:
    bench = Bench(settings)
    bench.create()
    return bench


class Reading:
    """Has memory for records as the sender has: for so many of each partition, and none without partitions."""

    def __init__(self) -> None:
        self.room_left = 0
        self.story: list[tuple[str, float]] = []

    def _note(self, what: str) -> None:
        self.story.append((what, time.monotonic()))

    def room(self) -> int:
        return self.room_left

    def hungry(self) -> bool:
        return True

    def due(self, tier: int, appended: int) -> bool:
        return True

    def assigned(self, trackers: list[Tracker], share: float) -> None:
        self.room_left = 100
        self._note("assigned")

    def taken(self, records: list[Taken]) -> None:
        pass

    def unread(self, records: dict[str, int]) -> None:
        pass

    def revoked(self, trackers: list[Tracker]) -> None:
        self._note("revoked")
        threading.Event().wait(DRAIN)
        self.room_left = 0

    def lost(self, trackers: list[Tracker]) -> None:
        self.room_left = 0

    def without(self) -> list[float]:
        """For how long there were no partitions, each time."""
        return [later - at for (what, at), (_, later) in pairwise(self.story) if what == "revoked"]


def test_a_member_without_partitions_has_its_next_ones_at_once(bench: Bench, settings: Settings) -> None:
    first, second = Reading(), Reading()
    intakes = [Intake(settings, reader, Metrics(), lambda error: None) for reader in (first, second)]
    try:
        intakes[0].start()
        eventually(lambda: first.story, within=30)
        intakes[1].start()
        eventually(lambda: second.story and len(first.without()) == 1, within=30)
        intakes.pop().close()
        eventually(lambda: len(first.without()) == 2, within=30)
    finally:
        for intake in intakes:
            intake.close()
    assert max(first.without()) < DRAIN + 1.0, first.without()
