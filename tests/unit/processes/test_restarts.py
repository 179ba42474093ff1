"""What becomes of a child that has ended (`streams.processes.restarts`)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine import exits
from streams.errors import RUNTIME, USAGE
from streams.processes import restarts
from streams.processes.restarts import FIRST_S, FOR_GOOD, HEALTHY_S, LONGEST_S, NOT_BEGUN, Exit, GiveUp, Wait, judge

MENDED = (0, exits.CHECKPOINT_FAILED, exits.FENCED, exits.RESTART, 126, -6, -9, -11, -15)

luck = st.floats(0, 1, exclude_max=True)
mended = st.sampled_from(MENDED)
unwell = st.builds(Exit, mended, st.floats(0, HEALTHY_S, exclude_max=True))
well = st.builds(Exit, mended, st.floats(HEALTHY_S, 1e9))
histories = st.lists(st.one_of(unwell, well), max_size=12)


def pause(history: Sequence[Exit], luck: float) -> float:
    """How long the verdict says to wait."""
    verdict = judge(history, luck)
    assert isinstance(verdict, Wait)
    return verdict.seconds


@given(histories, st.sampled_from(sorted(FOR_GOOD)), st.floats(0, 1e9), luck)
def test_what_a_restart_does_not_mend_ends_all_with_its_status(before, status, lived, luck):
    assert judge([*before, Exit(status, lived)], luck) == GiveUp(status)


@pytest.mark.parametrize("status", [RUNTIME, USAGE, exits.DISK, exits.TWIN])
def test_what_says_itself_what_is_wrong_is_for_good(status):
    assert status in FOR_GOOD


@given(histories, st.one_of(unwell, well), luck)
def test_everything_else_is_started_again_soon(before, last, luck):
    verdict = judge([*before, last], luck)
    assert isinstance(verdict, Wait)
    assert FIRST_S / 2 <= verdict.seconds <= LONGEST_S


@given(histories, well, luck)
def test_a_child_that_was_well_is_back_at_once_whatever_was_before(before, last, luck):
    assert judge([*before, last], luck) == judge([last], luck)
    assert pause([last], luck) <= FIRST_S


@given(histories, well, st.lists(unwell, min_size=1, max_size=12), luck)
def test_what_was_before_a_child_that_was_well_does_not_count(before, good, since, luck):
    assert judge([*before, good, *since], luck) == judge(since, luck)


@given(st.lists(unwell, min_size=2, max_size=12), luck)
def test_the_pause_grows_with_each_that_was_not_well(history, luck):
    pauses = [pause(history[:upto], luck) for upto in range(1, len(history) + 1)]
    assert pauses == sorted(pauses)
    for shorter, longer in itertools.pairwise(pauses):
        assert longer <= 2 * shorter + 1e-9


@given(st.lists(unwell, min_size=20, max_size=40), luck)
def test_the_pause_of_a_crash_loop_is_bounded(history, luck):
    assert LONGEST_S / 2 <= pause(history, luck) <= LONGEST_S


@given(unwell, luck, luck)
def test_luck_moves_children_apart_that_died_together(last, one, other):
    first, second = pause([last], one), pause([last], other)
    assert (first < second) == (one < other) or abs(one - other) < 1e-9


@given(st.lists(st.sampled_from([0, NOT_BEGUN])))
def test_a_parent_whose_children_ended_in_order_ends_with_0(statuses):
    assert restarts.together(statuses) == 0


@given(st.lists(st.sampled_from([0, NOT_BEGUN])), st.sampled_from([1, 70, 75]), st.lists(mended))
def test_a_parent_ends_with_the_status_of_the_child_that_did_not(well, status, others):
    assert restarts.together([*well, status, *others]) == status


def test_a_child_that_had_to_be_killed_shows_in_the_status():
    assert restarts.together([0, -9]) == 137


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, "ended without being asked"),
        (70, "ended with exit status 70"),
        (-9, "was ended by signal 9"),
    ],
)
def test_the_log_says_how_a_child_ended(status, said):
    assert restarts.words(status) == said
