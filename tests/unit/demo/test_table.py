"""The table at the end of a demo can be read wherever it is shown."""

from __future__ import annotations

from streams.demo.counts import Counts
from streams.demo.table import table


def some(delivered: int = 2) -> Counts:
    """One postback with three jobs, so many of them delivered, and one without any."""
    counts = Counts()
    for job in ("1", "2", "3"):
        counts.decided("acme-install", job)
    for job in ("1", "2", "3")[:delivered]:
        counts.attempted("acme-install", job, 1)
        counts.ended("acme-install", job, "delivered")
    counts.attempted("acme-install", "1", 2)
    assert not counts.postbacks["globex-tutorial"].decided
    return counts


def test_a_row_has_what_was_observed_beside_what_was_expected() -> None:
    assert table(some(), some(), 80).splitlines() == [
        "                 decided  delivered  retried  failed  suppressed  waiting",
        "acme-install         3=3        2=2      1=1       ·           ·      1=1",
        "globex-tutorial        ·          ·        ·       ·           ·        ·",
        "all                  3=3        2=2      1=1       ·           ·      1=1",
    ]


def test_a_difference_is_seen() -> None:
    shown = table(some(3), some(2), 80).splitlines()[1].split()
    assert shown == ["acme-install", "3=3", "2≠3", "1=1", "·", "·", "1≠0"]


def test_columns_move_together_before_a_row_is_torn_apart() -> None:
    assert table(some(), some(), 68).splitlines()[0] == (
        "                decided delivered retried failed suppressed waiting"
    )


def test_on_a_narrow_terminal_each_postback_is_a_block() -> None:
    assert table(some(), some(), 40).splitlines() == [
        "acme-install",
        "  decided 3=3  delivered 2=2",
        "  retried 1=1  waiting 1=1",
        "globex-tutorial",
        "  nothing",
        "all",
        "  decided 3=3  delivered 2=2",
        "  retried 1=1  waiting 1=1",
    ]
