"""The report's lines: what is summed, whose it is, and how it is written."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest

from schemas.config import Partner
from schemas.report import ReportRow, cut
from streams.cli import output
from streams.reports import written
from streams.reports.known import Known
from streams.reports.lines import Asked, Line, lines
from streams.reports.mistaken import mistaken
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
    # Its id alone is the same campaign.
    rows = [
        *ROWS,
        postback("w", campaign_id="c1", campaign_name="Winter", decided=3),
        ended("w", campaign_id="c1", failed=1),
    ]
    for campaign in ("c1", "Winter"):
        (line,) = shown(rows, "partner,campaign,event", campaign=campaign, event="payment").values()
        assert (line.at, line.events, line.decided, line.waiting) == (("acme", "Winter", "payment"), 3, 3, 2)


def test_a_campaign_that_was_renamed_is_found_whole_by_its_id() -> None:
    rows = [events("acme", campaign_id="c1", campaign_name=name, payment=1) for name in ("Spring", "Spring 2")]
    found = shown(rows, "campaign", campaign="c1")
    assert {at[0]: line.events for at, line in found.items() if line.events} == {"Spring": 1, "Spring 2": 1}
    assert {at for at, line in shown(rows, "campaign", campaign="Spring").items() if line.events} == {("Spring",)}


def test_the_jobs_of_a_postback_for_every_campaign_stand_beside_the_campaigns_events() -> None:
    rows = [
        *(events("acme", campaign_id=name, payment=count) for name, count in (("c1", 3), ("c2", 2))),
        postback(campaign_id="c1", decided=3),
        postback(campaign_id="c2", decided=1, no_consent=1),
        ended(campaign_id="c2", delivered=1),
    ]
    for by in ("campaign", "campaign,postback"):
        found = {at[0]: (one.events, one.decided, one.noes) for at, one in shown(rows, by).items() if at[-1] != "w"}
        assert found == {"c1": (3, 3, {}), "c2": (2, 1, {"no_consent": 1})}
    assert shown(rows, "campaign")["c2",].waiting == 0


BESIDE = [events("acme", agency_name="north", payment=3), events("acme_old", payment=4), events("north", payment=2)]


def test_an_event_is_the_agencys_too_where_its_postback_is_addressed_by_agency() -> None:
    rows = [*BESIDE, postback("n", partner="north", decided=4, no_consent=1), postback("p", decided=7)]
    config = configured(wanted("n", partner="north", delivery_method="network_and_agency"), wanted("p"))
    found = lines(totals(rows), Known([config]), Asked(("partner", "event")))
    told = {one.at[0]: (one.events, one.decided + sum(one.noes.values())) for one in found}
    assert told == {"acme": (7, 7), "north": (5, 5)}
    (line,) = lines(totals(rows), Known([config]), Asked(("event",), partner="north"))
    assert line.events == 5
    # Over all partners it is one event.
    (line,) = lines(totals(rows), Known([config]), Asked(("event",)))
    assert line.events == 9


def test_an_agency_without_such_a_postback_has_only_what_is_its_own() -> None:
    for method, event in (("network", "payment"), ("all", "payment"), ("network_and_agency", "payment_ca")):
        config = configured(wanted("n", event, partner="north", delivery_method=method))
        found = lines(totals(BESIDE), Known([config]), Asked(("partner",)))
        assert {one.at[0]: one.transactions for one in found} == {"acme": 7, "north": 2}


def test_a_partner_is_found_by_its_alias_and_by_a_name_that_is_cut_in_rows() -> None:
    assert shown(ROWS, "partner", partner="acme_old").keys() == {("acme",)}
    long = "x" * 300
    assert [line.events for line in shown([events(cut(long), payment=1)], "partner", partner=long).values()] == [1]
    config = msgspec.structs.replace(configured(), partners=(Partner(id="acme", name="Acme", aliases=(long,)),))
    assert Known([config]).partner_of(next(iter(totals([events(cut(long), payment=1)]).fired))) == "acme"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"app": "gane"}, "no such app: gane; did you mean game?"),
        ({"partner": "Acme_ods"}, "no such partner: Acme_ods; did you mean acme_old?"),
        ({"partner": "strange"}, "no such partner: strange; did you mean stranger?"),
        ({"campaign": "winter"}, "no such campaign: winter; did you mean Winter?"),
        ({"event": "paiment"}, "no such event: paiment; did you mean payment?"),
        (
            {"event": "event:x"},
            "event:x has no count of its own: custom events that no postback fires on are counted as event:*",
        ),
        ({"event": "event:win"}, None),
        ({"event": "first_event_ca:win"}, None),
        ({"event": "registration", "app": "game", "partner": "north"}, None),
        ({"campaign": "c1", "partner": "organic"}, None),
    ],
)  # fmt: skip
def test_what_is_nowhere_is_told_with_what_was_probably_meant(asked: dict[str, str], told: str | None) -> None:
    known = Known([configured(wanted(event="event:win"))])
    assert mistaken(Asked(**asked), totals(ROWS), known) == told


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
