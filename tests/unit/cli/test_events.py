"""`ringback events`: the table of derived events in a terminal."""

from __future__ import annotations

import json

import pytest

from streams.attribution.events import TABLE
from streams.cli import pages
from streams.cli.events import GOES_BY
from streams.cli.main import run
from streams.errors import USAGE

Capture = pytest.CaptureFixture[str]


def test_every_row_of_the_table_is_listed_within_80_columns(capsys: Capture) -> None:
    assert run(["events"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    listed = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("   ")]
    assert sorted(listed) == sorted(row.name for row in TABLE)


def test_a_row_says_whose_event_it_is_where_and_how_often_it_fires(capsys: Capture) -> None:
    run(["events"])
    rows = {line.split()[0]: line.split(maxsplit=4) for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert rows["first_payment"] == ["first_payment", "either", "first", "mobile", "the first in the lifetime"]
    assert rows["new_user"][1:4] == ["user", "first", "all"]
    assert rows["registration_ca"][1:] == ["device", "current", "all", "every time"]
    assert rows["session"][1:4] == ["device", "latest*", "mobile"]


def test_what_goes_by_neither_attribution_says_so(capsys: Capture) -> None:
    said = "at `all` current; otherwise the latest attribution to the postback's partner, also when another"
    run(["events"])
    assert f"* latest: {said}" in " ".join(capsys.readouterr().out.split())
    assert f"| {said} partner has brought the user back since |" in pages.text("events.md")
    run(["events", "--platform", "web"])
    assert "*" not in capsys.readouterr().out
    assert set(GOES_BY) <= {row.name for row in TABLE}


def test_rows_stand_under_their_family_and_below_is_where_the_rules_are_from(capsys: Capture) -> None:
    run(["events"])
    out = capsys.readouterr().out
    assert "\nlaunch\n  app_open " in out
    assert "\nevent\n  event:<name> [1] " in out
    assert [source for source in {row.source for row in TABLE} if source not in out] == []


def test_a_platform_has_its_own_list(capsys: Capture) -> None:
    assert run(["events", "--platform", "web", "--json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert names == [row.name for row in TABLE if "web" in row.platforms]
    assert run(["events", "--platform", "web"]) == 0
    out = capsys.readouterr().out
    assert "app_open" not in out
    assert "first_registration_ca" in out


def test_json_has_everything_that_the_table_has(capsys: Capture) -> None:
    assert run(["events", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["family"], row["attribution"], row["source"]) for row in rows] == [
        (row.name, row.family, "latest" if row.name == "session" else row.goes_by, row.source) for row in TABLE
    ]
    by_name = {row["name"]: row for row in rows}
    assert by_name["first_payment"]["scopes"] == ["device", "user"]
    assert by_name["first_payment"]["platforms"] == ["android", "ios", "windows"]
    assert all(row["meaning"] and row["fires"] for row in rows)


def test_an_unknown_platform_is_told_with_those_there_are(capsys: Capture) -> None:
    assert run(["events", "--platform", "tv"]) == USAGE
    assert "expected one of android, ios, windows, web" in capsys.readouterr().err
