"""What a record costs does not grow with the postbacks that do not concern it; measured in calls of functions, which
are the same on every machine. `python -m tests.benchmarks.deciding` measures time.
"""

from __future__ import annotations

import sys
from types import FrameType

from tests.benchmarks import deciding


def calls(name: str) -> int:
    """Calls of Python functions to decide a batch."""
    contestant = deciding.Contestant(deciding.CONTESTANTS[name], 20, "nos")
    batch = [deciding.payment(number % 20, number) for number in range(100)]
    count = 0

    def on_event(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(on_event)
    try:
        contestant.run(batch)
    finally:
        sys.setprofile(None)
    return count


def test_49_postbacks_more_that_do_not_match_cost_a_record_next_to_nothing() -> None:
    one = calls("one")
    assert calls("50, one matches") <= 1.3 * one
    assert calls("50 on its event") <= 1.3 * one


def test_each_postback_more_that_matches_costs_the_same() -> None:
    one, ten, fifty = calls("one"), calls("10 match"), calls("50 match")
    assert 0.9 < ((fifty - one) / 49) / ((ten - one) / 9) < 1.1
