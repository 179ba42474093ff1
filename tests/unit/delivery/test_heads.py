"""What has come due in the delay topics is looked at partition by partition, and none waits for all of another."""

from __future__ import annotations

from streams.delivery.consumer import Taken
from streams.delivery.heads import FEW, Heads
from streams.delivery.offsets import Tracker

TRACKERS = [Tracker("t.retry.8s", number, 1, 0) for number in range(3)]


def taken(number: int, offset: int, appended: int = 0) -> Taken:
    return Taken(TRACKERS[number], 0, offset, appended, b"k", b"v")


def test_those_that_are_due_come_in_the_order_of_their_partition_up_to_the_first_that_is_not() -> None:
    read_on: list[Tracker] = []
    heads = Heads(lambda tier, appended: appended <= 5, read_on.append)
    for offset, appended in enumerate([1, 5, 6, 2, 7]):
        heads.add(taken(0, offset, appended))
    assert [one.offset for one in heads.take(10)] == [0, 1]
    assert len(heads) == 3
    assert read_on == []


def test_a_partition_whose_next_ones_are_not_due_is_not_read_on() -> None:
    """It would be read, paused, and read again, as often as one is due."""
    read_on: list[Tracker] = []
    heads = Heads(lambda tier, appended: appended <= 5, read_on.append)
    for offset, appended in enumerate([1, 5, 6]):
        heads.add(taken(0, offset, appended))
    assert len(list(heads.take(10))) == 2
    assert list(heads.take(10)) == []
    assert read_on == []


def test_a_partition_of_which_few_are_left_is_read_on() -> None:
    read_on: list[Tracker] = []
    heads = Heads(lambda tier, appended: True, read_on.append)
    for offset in range(FEW + 12):
        heads.add(taken(0, offset))
    assert len(list(heads.take(10))) == 10
    assert read_on == []
    assert len(list(heads.take(2))) == 2
    assert read_on == [TRACKERS[0]]
    assert len(list(heads.take(2 * FEW))) == FEW
    assert read_on == [TRACKERS[0]] * 2


def test_many_that_come_due_at_once_in_one_partition_do_not_keep_the_others_waiting() -> None:
    heads = Heads(lambda tier, appended: True, lambda tracker: None)
    for number, count in enumerate((1_000, 3, 1_000)):
        for offset in range(count):
            heads.add(taken(number, offset))
    seen: list[tuple[int, int]] = []
    for _ in range(4):
        seen += [(one.tracker.partition, one.offset) for one in heads.take(100)]
    assert [place for place, _ in seen[:100]] == [0] * 100
    assert [place for place, _ in seen[100:200]] == [1] * 3 + [2] * 97
    assert [place for place, _ in seen[200:300]] == [0] * 100
    assert [place for place, _ in seen[300:]] == [2] * 100
    assert [offset for place, offset in seen if place == 2] == list(range(197))


def test_without_room_none_is_taken() -> None:
    heads = Heads(lambda tier, appended: True, lambda tracker: None)
    heads.add(taken(0, 0))
    assert list(heads.take(0)) == []
    assert len(heads) == 1
