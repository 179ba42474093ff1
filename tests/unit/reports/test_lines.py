"""The report's lines: what is summed, whose it is, and how it is written."""

from __future__ import annotations

import csv
import io
import json

from schemas.report import ReportRow
from streams.cli import output
from streams.reports import written
from streams.reports.known import Known
from streams.reports.lines import Asked, Line, lines
from streams.reports.totals import totals
from tests.unit.reports.counting import configured, ended, events, postback, wanted

PAID = {"payment": 3, "payment_ca": 1}
ROWS = [
    events("acme", campaign_id="c1", campaign_name="Winter", **PAID),
    events("acme_old", generation=2, day="2026-01-03", payment=1),
    events("stranger", payment_ca=2),
    events(agency_name="north", payment_ca=1),
    events(payment=5),
    postback(decided=2, no_consent=1),
    postback(generation=2, day="2026-01-03", decided=1),
    ended(delivered=1),
    ended(writer="x", expired=1),
]


def shown(rows: list[ReportRow], by: str, **only: str) -> dict[tuple[str, ...], Line]:
    known = Known([configured(wanted(), wanted("w", campaign="c1")), configured(wanted(), generation=2)])
    return {line.at: line for line in lines(totals(rows), known, Asked(tuple(by.split(",")), **only))}


def test_sources_are_partners_by_id_or_alias_strangers_by_their_own_name_and_organic() -> None:
    found = {at: (line.transactions, line.transactions_ca) for at, line in shown(ROWS, "partner").items()}
    assert found == {("acme",): (4, 1), ("stranger",): (0, 2), ("north",): (0, 1), ("organic",): (5, 0)}


def test_partitions_stages_writers_and_generations_add_up() -> None:
    line = shown(ROWS, "partner,event")["acme", "payment"]
    assert (line.events, line.decided, line.waiting) == (4, 3, 1)
    assert line.outcomes == {"delivered": 1, "failed": 0, "suppressed": 0, "expired": 1}
    assert line.noes == {"no_consent": 1}


def test_days_are_lines_of_their_own_in_order() -> None:
    assert list(shown(ROWS, "day")) == [("2026-01-02",), ("2026-01-03",)]
    assert totals(ROWS, "2026-01-03", "2026-01-03").jobs.keys() == {
        key for key in totals(ROWS).jobs if key.day[-1] == "3"
    }


def test_a_postbacks_events_are_those_it_was_addressed_by() -> None:
    found = shown(ROWS, "postback")
    assert found["p",].events == 4
    assert shown([postback("gone", generation=9, decided=1)], "postback")["gone",].events is None


def test_a_campaign_is_found_by_id_and_by_name() -> None:
    rows = [*ROWS, postback("w", decided=3)]
    for campaign in ("c1", "Winter"):
        (line,) = shown(rows, "partner,campaign,event", campaign=campaign, event="payment").values()
        assert (line.at, line.events, line.decided) == (("acme", "Winter", "payment"), 3, 3)


def test_filters_leave_only_what_was_asked_for() -> None:
    assert shown(ROWS, "event", app="another") == {}
    assert set(shown(ROWS, "partner,event", partner="organic")) == {("organic", "payment")}
    assert set(shown(ROWS, "event", event="payment_ca")) == {("payment_ca",)}


def test_what_the_user_decides_has_a_name_of_its_own() -> None:
    row = postback("u", "first_payment", stage="user", decided=1)
    assert list(shown([row, ended("u", "first_payment", delivered=1)], "event")) == [("first_payment@user",)]


def test_a_claim_is_counted_for_the_partner_and_told_beside() -> None:
    claim = ReportRow(kind="events", stage="device", day="2026-01-02", app_id="game", publisher_name="acme",
                      generation=1, counts={"claimed:install": 1})  # fmt: skip
    line = shown([claim, events(install=1)], "partner,event")["acme", "install"]
    assert (line.events, line.claimed) == (1, 1)


def test_the_table_lines_up_and_names_the_reasons() -> None:
    asked = Asked(("partner", "event"), partner="acme")
    found = list(shown(ROWS, "partner,event", partner="acme").values())
    assert output.table(*written.columns(found, asked)).splitlines() == [
        "PARTNER  EVENT       EVENTS  DECIDED  DELIVERED  WAITING  FAILED  SUPPRESSED  EXPIRED  REFUSED",
        "acme     payment     4       3        1          1        0       0           1        1 no_consent",
        "acme     payment_ca  1       0        0          0        0       0           0",
    ]
    header, _ = written.columns(found, Asked(("partner",)))
    assert header[:3] == ["PARTNER", "TRANSACTIONS", "TRANSACTIONS CA"]


def test_json_and_csv_say_the_same() -> None:
    asked = Asked(("day", "event"))
    found = list(shown(ROWS, "day,event").values())
    objects = json.loads(written.as_json(found, asked))
    records = list(csv.DictReader(io.StringIO(written.as_csv(found, asked))))
    assert len(objects) == len(records) == 3
    for one, record in zip(objects, records, strict=True):
        noes = one.pop("noes")
        assert {name: record[name] for name in one} == {name: str(value) for name, value in one.items()}
        assert {name[3:]: int(value) for name, value in record.items() if name[:3] == "no_" and value != "0"} == noes
