"""The times that a lane has given: they move when the lane stands still, each exactly as long as its job waited."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.delivery.schedule import MOST_MOVES, SAME_MOVE, Reserved, Schedule

NOW = 1_760_000_000_000


def test_times_are_given_one_behind_the_other() -> None:
    one = Schedule()
    assert [one.give(NOW, 20.0, NOW) for _ in range(3)] == [NOW, NOW + 20, NOW + 40]
    assert one.give(NOW + 1_000, 20.0, NOW) == NOW + 1_000


def test_what_was_given_before_a_move_moves_with_it_and_what_is_given_after_it_does_not() -> None:
    one = Schedule()
    before = Reserved(int(one.give(NOW + 10_000, 100.0, NOW)), NOW)
    one.move(5_000, NOW + 1_000)
    after = Reserved(int(one.give(NOW, 100.0, NOW)), NOW + 1_001)
    assert one.place(before, NOW + 2_000) == NOW + 15_000
    assert one.place(after, NOW + 2_000) == after.at == NOW + 15_100


@given(st.lists(st.tuples(st.integers(1, 5_000), st.integers(-1_000, 9_000)), max_size=60), st.data())
def test_a_place_has_moved_by_all_that_came_since(moves: list[tuple[int, int]], data: st.DataObject) -> None:
    one, now = Schedule(), NOW
    happened: list[tuple[int, int]] = []
    for passed, by in moves:
        now += passed + SAME_MOVE
        one.move(by, now)
        happened.append((now, by))
    since = data.draw(st.integers(NOW, now + 10))
    place = one.place(Reserved(NOW, since), now + 10)
    assert place - NOW == sum(by for at, by in happened if at > since)


def test_moves_of_the_same_moment_are_one() -> None:
    one = Schedule()
    for tick in range(1, 51):
        one.move(10, NOW + tick)
    assert one.place(Reserved(NOW, NOW), NOW + 100) == NOW + 500
    assert len(one._moved_at) == 1


def test_only_so_many_moves_are_remembered_and_the_newest_of_them() -> None:
    one = Schedule()
    for number in range(3 * MOST_MOVES):
        one.move(1, NOW + number * SAME_MOVE)
    last = NOW + 3 * MOST_MOVES * SAME_MOVE
    assert len(one._moved_at) <= MOST_MOVES
    assert one.place(Reserved(last, last - 100 * SAME_MOVE - 1), last) == last + 100


def test_a_clock_that_was_ahead_moves_nobody_again_and_again() -> None:
    one = Schedule()
    one.move(15_000, NOW + 3_600_000)
    assert one.place(Reserved(NOW + 60_000, NOW), NOW + 1_000) == NOW + 60_000
    one.move(1_000, NOW + 2_000)
    assert one.place(Reserved(NOW + 60_000, NOW), NOW + 3_000) == NOW + 61_000
