"""What `report --check` finds: each identity holds, and a wrong row of each kind is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from schemas.config import Configuration
from schemas.report import ReportRow
from streams.reports.check import Verdict, check, persisting
from streams.reports.known import Known
from streams.reports.totals import Jobs, totals
from tests.unit.reports.counting import DAY, configured, ended, events, postback, wanted

PAID = {"payment": 3, "payment_ca": 3, "first_payment": 1, "first_payment_ca": 1}
JOBS = Jobs(DAY, "game", 1, "acme", "p", "payment")


def checked(
    rows: Sequence[ReportRow], *configurations: Configuration, unfinished: dict[Jobs, int] | None = None
) -> Verdict:
    known = Known(configurations or [configured(wanted())])
    return check(totals(rows), known, None if unfinished is None else Counter(unfinished))


GOOD = [events("acme", **PAID), postback(decided=2, no_consent=1), ended(delivered=1)]


def test_nothing_is_found_where_all_agrees() -> None:
    assert checked(GOOD) == Verdict([], 1, [])
    assert checked(GOOD, unfinished={JOBS: 1}).differences == []


@pytest.mark.parametrize(
    ("rows", "unfinished", "told"),
    [
        (
            [events("acme", **PAID), postback(decided=2)],
            None,
            "2026-01-02 p (game, payment, generation 1): 3 derived events, but 2 decided and 0 refused",
        ),
        (
            [events("acme", **PAID)],
            None,
            "2026-01-02 p (game, payment, generation 1): 3 derived events, but 0 decided and 0 refused",
        ),
        (
            [postback(decided=1)],
            None,
            "2026-01-02 p (game, payment, generation 1): 0 derived events, but 1 decided and 0 refused",
        ),
        (
            [*GOOD, ended(writer="x", delivered=1, failed=1)],
            None,
            "2026-01-02 p (game, payment, generation 1): 2 decided, but 2 delivered, 1 failed",
        ),
        (
            GOOD,
            {},
            "2026-01-02 p (game, payment, generation 1): 1 wait by the counts, but 0 jobs lie unfinished in the "
            "delivery topics",
        ),
        (
            [*GOOD, ended(writer="x", delivered=1)],
            {JOBS: 1},
            "2026-01-02 p (game, payment, generation 1): 0 wait by the counts, but 1 jobs lie unfinished in the "
            "delivery topics",
        ),
        ([*GOOD, events("x", payment=1)], None, "2026-01-02 game (generation 1): 4 payment, but 3 payment_ca"),
        (
            [*GOOD, events("x", first_payment=3)],
            None,
            "2026-01-02 game (generation 1): 4 first_payment, but 3 payment",
        ),
        ([*GOOD, ended(delivered=-1)], None, "a row of 2026-01-02 game (ended, sender): -1 delivered"),
        (
            [*GOOD, postback(delivered=1)],
            None,
            "a row of 2026-01-02 game (postback, device): delivered is nothing that it counts",
        ),
        (
            [*GOOD, ended(stage="user", delivered=1)],
            None,
            "a row of 2026-01-02 game (ended, user): that stage writes no such rows",
        ),
        ([*GOOD, postback("", decided=1)], None, "a row of 2026-01-02 game (postback, device): it names no postback"),
        ([*GOOD, events(day="Friday")], None, "a row of Friday game (events, device): its day is none"),
    ],
    ids=[
        "lost", "never decided", "from nowhere", "ended twice", "vanished", "not counted", "one attribution only",
        "more firsts than events", "negative", "of another kind", "of another stage", "of no postback", "of no day",
    ],
)  # fmt: skip
def test_a_wrong_row_is_told(rows: list[ReportRow], unfinished: dict[Jobs, int] | None, told: str) -> None:
    assert checked(rows, unfinished=unfinished).differences == [told]


@pytest.mark.parametrize(
    ("method", "partner", "count"),
    [("network", "acme", 5), ("network_and_agency", "acme", 5), ("network", "north", 7),
     ("network_and_agency", "north", 9), ("all", "north", 17)],
)  # fmt: skip
def test_a_postback_is_compared_by_its_delivery_method(method: str, partner: str, count: int) -> None:
    sources = [("acme", None, 3), ("acme_old", "north", 2), ("north", None, 7), ("stranger", None, 4), (None, None, 1)]
    rows = [events(one, agency_name=agency, payment=n, payment_ca=n) for one, agency, n in sources]
    config = configured(wanted(partner=partner, delivery_method=method))
    assert checked([*rows, postback(partner=partner, decided=count)], config).differences == []
    assert len(checked([*rows, postback(partner=partner, decided=count - 1)], config).differences) == 1


def test_a_claim_counts_for_whom_it_gave_a_source_and_is_a_no_for_all() -> None:
    rows = [events(install=1), ReportRow(**{**_fields(events("acme")), "counts": {"claimed:install": 1}})]
    config = configured(wanted("all", "install", delivery_method="all"), wanted("net", "install"))
    decided = [postback("all", "install", decided=1, claimed_before=1), postback("net", "install", decided=1)]
    assert checked([*rows, *decided], config).differences == []


def test_what_the_user_decides_is_compared_with_what_the_user_stage_counted() -> None:
    rows = [
        events("acme", **PAID),
        ReportRow(**{**_fields(events("acme", stage="user")), "counts": {"first_payment@user": 2}}),
    ]
    config = configured(wanted(event="first_payment", scope="user"))
    assert checked([*rows, postback(event="first_payment", stage="user", decided=2)], config).differences == []
    assert checked([*rows, postback(event="first_payment", stage="user", decided=1)], config).differences != []


def test_event_matching_is_compared_with_what_it_fires_on() -> None:
    config = configured(wanted(event="install", match_event="payment"))
    assert checked([events("acme", **PAID), postback(decided=3)], config).differences == []


def test_of_two_looks_only_what_differs_in_both_is_a_difference() -> None:
    first = checked([*GOOD, events("x", payment=1)])
    assert first.differences
    assert persisting(first, checked(GOOD)).differences == []
    assert persisting(checked(GOOD), first).differences == []
    # The numbers may have moved on.
    second = checked([*GOOD, events("x", payment=2), postback(decided=9)])
    assert persisting(first, second).differences == ["2026-01-02 game (generation 1): 5 payment, but 3 payment_ca"]


def test_a_custom_event_that_is_called_as_all_others_together_is_not_compared() -> None:
    config = configured(wanted(event="event:*"), wanted("w", "event:win"))
    rows = [events("acme", **{"event:*": 9, "event_ca:*": 9, "event:win": 2, "event_ca:win": 2})]
    assert checked([*rows, postback(event="event:*", decided=1), postback("w", "event:win", decided=2)], config) == (
        Verdict([], 1, [])
    )


def test_sessions_are_compared_for_all_only() -> None:
    rows = [events("acme", session=2)]
    config = configured(wanted("net", "session"), wanted("all", "session", delivery_method="all"))
    decided = [postback("net", "session", decided=1), postback("all", "session", decided=2)]
    assert checked([*rows, *decided], config).differences == []
    assert len(checked([*rows, decided[0]], config).differences) == 1


def test_generations_are_compared_apart_and_one_that_is_not_kept_only_with_itself() -> None:
    old = [postback(generation=7, decided=1), ended(generation=7, delivered=2)]
    verdict = checked([*GOOD, events("acme", generation=2, **PAID), *old])
    assert verdict.unknown == [2, 7]
    assert verdict.differences == ["2026-01-02 p (game, payment, generation 7): 1 decided, but 2 delivered"]


def _fields(row: ReportRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}
