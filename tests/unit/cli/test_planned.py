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


def test_a_shadow_is_told() -> None:
    new = configuration(postback("p", "install", status="shadow"))
    assert "p is a shadow after: its jobs are decided, and never sent" in told(found(p=row(0, 1, 1, 0, 0)), NEW, new)


def test_what_else_to_know() -> None:
    lines = list(aside(found(), NEW))
    assert lines[0] == ("read 2,000 records, the oldest of 2026-01-02T03:04:04Z, in 0.5 s (4,000/s); sent nothing")
    assert "look new" in lines[-1]
    short = found()._replace(first=AT + 1, missing=("events",))
    lines = list(aside(short, NEW))
    assert "the topics hold less than was asked for" in lines
    assert any(line.startswith("the topic events does not exist: taken as empty") for line in lines)


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
            "before": None,
            "after": {"url": "https://a.example/2", "method": "GET", "headers": "", "body": ""},
        }
    ]
