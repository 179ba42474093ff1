"""What stands still for too long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.stillness import Sign, Stillness

AFTER, EXIT = 10.0, 20.0


def sign(token: object) -> Sign:
    return Sign(str(token), "has not moved")


def test_it_is_stuck_first_and_ends_later() -> None:
    stillness = Stillness(AFTER, EXIT)
    said = [stillness.look(now, {"partition 3": sign(0)}) for now in (0.0, 9.9, 10.0, 29.9, 30.0)]
    assert [(bool(one.stuck), one.end) for one in said] == [
        (False, False),
        (False, False),
        (True, False),
        (True, False),
        (True, True),
    ]
    assert said[2].stuck == "partition 3 has not moved for 10 s"


def test_without_an_exit_it_never_ends() -> None:
    stillness = Stillness(AFTER, 0.0)
    stillness.look(0.0, {"a": sign(0)})
    assert stillness.look(1e6, {"a": sign(0)}) == ("a has not moved for 1000000 s", False)


def test_what_need_not_move_for_a_moment_begins_anew() -> None:
    """The brokers were away, or nothing waited."""
    stillness = Stillness(AFTER, EXIT)
    stillness.look(0.0, {"a": sign(0)})
    stillness.look(50.0, {})
    assert not stillness.look(51.0, {"a": sign(0)}).stuck
    assert stillness.look(61.0, {"a": sign(0)}).stuck


def test_the_one_that_stands_longest_is_named() -> None:
    stillness = Stillness(AFTER, EXIT)
    stillness.look(0.0, {"old": sign(0)})
    stillness.look(5.0, {"old": sign(0), "new": sign(0)})
    assert stillness.look(20.0, {"new": sign(0), "old": sign(0)}).stuck.startswith("old ")


@given(st.lists(st.tuples(st.floats(0.1, 5.0), st.booleans()), max_size=60))
def test_stuck_means_not_moved_within_the_time(steps: list[tuple[float, bool]]) -> None:
    stillness, now, token, moved = Stillness(AFTER, EXIT), 0.0, 0, 0.0
    stillness.look(now, {"a": sign(token)})
    for pause, moves in steps:
        now += pause
        if moves:
            token, moved = token + 1, now
        verdict = stillness.look(now, {"a": sign(token)})
        assert bool(verdict.stuck) == (now - moved >= AFTER)
        assert verdict.end == (now - moved >= AFTER + EXIT)
