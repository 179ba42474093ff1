"""What `ringback plan --history` says."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.config import Configuration
from schemas.job import Request
from streams.cli.planned import aside, history, plain
from streams.replay.compare import Example, Postback
from streams.replay.history import History
from tests.unit.replay.recorded import configuration, postback

AT = 1_767_323_045_000
NEW = configuration(postback("p", "install"))


def found(**postbacks: Postback) -> History:
    return History(AT, AT - 1000, 2_000, 1_234, 0.5, (), postbacks)


def told(what: History, live: Configuration | None = None, new: Configuration = NEW) -> list[str]:
    return list(history(what, "3d", live, new))


def example(number: int, before: str | None, after: str | None) -> Example:
    urls = [None if url is None else Request("GET", (url,)) for url in (before, after)]
    return Example(f"r{number}", "game|d", "install", *urls)


def row(*counts: int, **examples: list[Example]) -> Postback:
    return Postback(*counts, {"more": [], "fewer": [], "changed": [], **examples})


def test_the_table_shows_what_changes_and_counts_the_rest() -> None:
    lines = told(found(p=row(5, 7, 3, 1, 2), q=row(4, 4, 0, 0, 0), s=row(1, 1, 0, 0, 0)))
    assert lines[0] == "Jobs of the last 3d (1,234 records), as things are and as they would be:"
    assert lines[2].split() == ["postback", "before", "after", "more", "fewer", "changed"]
    assert lines[3].split() == ["p", "5", "7", "3", "1", "2"]
    assert lines[4] == "nothing changes for 2 other postbacks (5 jobs)"


@pytest.mark.parametrize("name", ["p", "a-postback-with-a-name-that-is-much-too-long-for-any-table"])
def test_a_line_of_the_table_fits_a_terminal_of_80_columns(name: str) -> None:
    lines = told(found(**{name: row(9_999_999, 10_000_000, 999_999_999, 0, 9_999_999)}))
    assert max(map(len, lines)) == 80
    assert lines[3].split()[1:] == ["9,999,999", "10.0M", "1,000.0M", "0", "9,999,999"]


def test_nothing_would_change() -> None:
    assert told(found(p=row(5, 5, 0, 0, 0)))[-1] == "nothing would change: the same 5 jobs, to the last byte"
    assert told(found())[-1] == "nothing would change: 0 jobs, to the last byte"


def test_examples_show_both_requests() -> None:
    changed = [example(1, "https://a.example/was", "https://a.example/now")]
    lines = told(found(p=row(2, 2, 1, 1, 1, more=[example(2, None, "https://a.example/2")], changed=changed)))
    assert lines[-7:] == [
        "p, 1 more, these:",
        "  r2 of game|d (install)",
        "    now GET https://a.example/2",
        "p, 1 with another request, these:",
        "  r1 of game|d (install)",
        "    was https://a.example/was",
        "    now https://a.example/now",
    ]


def test_what_is_no_character_to_show_moves_no_cursor() -> None:
    odd = Example("r\x1b[2J", "game|\r", "install", None, Request("GET", ("https://a.example/\n",)))
    lines = told(found(p=row(0, 1, 1, 0, 0, more=[odd])))
    assert all(line.isprintable() for line in lines)


ACTIVE, SHADOW, PAUSED = (configuration(postback("p", "install", status=one)) for one in ("active", "shadow", "paused"))
GONE = configuration()


@pytest.mark.parametrize(
    ("live", "new", "counts", "said"),
    [
        (
            SHADOW,
            ACTIVE,
            (5, 5, 0, 0, 0),
            "p leaves the shadow: its 5 jobs would be sent; until now none is",
        ),
        (ACTIVE, SHADOW, (5, 5, 0, 0, 0), "p goes into shadow: its 5 jobs would be decided, and no longer sent"),
        (SHADOW, SHADOW, (5, 6, 1, 0, 0), "p is in shadow, and stays there: its jobs are decided, and not sent"),
        (SHADOW, PAUSED, (1, 0, 0, 1, 0), "p is in shadow: none of its jobs is sent"),
        (PAUSED, SHADOW, (0, 5, 5, 0, 0), "p would be in shadow: its 5 jobs would be decided, and not sent"),
        (GONE, SHADOW, (0, 5, 5, 0, 0), "p would be in shadow: its 5 jobs would be decided, and not sent"),
    ],
)
def test_what_a_shadow_does_to_jobs_stands_above_the_table(
    live: Configuration, new: Configuration, counts: tuple[int, ...], said: str
) -> None:
    lines = told(found(p=row(*counts)), live, new)
    assert lines[2].startswith(said)
    assert max(map(len, lines)) <= 80
    assert ["p", *map(str, counts)] in [line.split() for line in lines]


def test_a_shadow_of_which_nothing_changes_is_not_told() -> None:
    assert told(found(p=row(5, 5, 0, 0, 0)), SHADOW, SHADOW)[-1].startswith("nothing would change")
    assert told(found(p=row(0, 0, 0, 0, 0)), SHADOW, ACTIVE)[-1].startswith("nothing would change")


def test_why_there_is_no_job_is_told_of_an_example() -> None:
    fewer = [example(1, "https://a.example/", None)._replace(why="not_first_since")]
    lines = told(found(p=row(1, 0, 0, 1, 0, fewer=fewer)), ACTIVE, ACTIVE)
    assert lines[-3:] == [
        "    was GET https://a.example/",
        "    now none: the device has had its first since the attribution began",
        "      (not_first_since)",
    ]
    late = [example(1, "https://a.example/", None)._replace(why="too_late")]
    assert "older than the newest record" in told(found(p=row(1, 0, 0, 1, 0, fewer=late)), ACTIVE, ACTIVE)[-2]
    assert told(found(p=row(1, 0, 0, 1, 0, fewer=fewer)), ACTIVE, GONE)[-1] == "    was GET https://a.example/"


def test_what_else_to_know() -> None:
    lines = list(aside(found(), NEW))
    assert lines == ["read 2,000 records, the oldest of 2026-01-02T03:04:04Z, in 0.5 s (4,000/s); sent nothing"]
    short = found()._replace(first=AT + 1, missing=("events",))
    lines = list(aside(short, NEW))
    assert "the topics hold less than was asked for" in lines
    assert any(line.startswith("the topic events does not exist: taken as empty") for line in lines)


def test_that_devices_look_new_is_told_only_where_beginnings_are_gone() -> None:
    assert not any("look new" in line for line in aside(found(), NEW))
    assert "look new" in list(aside(found()._replace(cut=True), NEW))[-1]


def test_programs_get_everything() -> None:
    report: Any = plain(found(p=row(0, 1, 1, 0, 0, more=[example(2, None, "https://a.example/2")])))
    (one,) = report["postbacks"]
    assert one["id"] == "p"
    assert [one[name] for name in ("before", "after", "more", "fewer", "changed")] == [0, 1, 1, 0, 0]
    assert one["examples"] == [
        {
            "what": "more",
            "record_id": "r2",
            "device_key": "game|d",
            "event": "install",
            "why": None,
            "before": None,
            "after": {"url": "https://a.example/2", "method": "GET", "headers": "", "body": ""},
        }
    ]
