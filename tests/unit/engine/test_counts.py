"""Daily counts: written in the checkpoint, as exact as the jobs (contract §2, the report topic)."""

from __future__ import annotations

from collections import Counter

import msgspec

from schemas.config import DAY, Configuration
from schemas.report import ReportRow, cut
from tests.unit.engine.test_pipeline import T0, Lane, configuration, event, install

DAY_0, DAY_1 = "2026-01-02", "2026-01-03"


def rows(lane: Lane, kind: str) -> list[ReportRow]:
    return [row for row in lane.report.values() if row.kind == kind]


def with_method(method: str) -> Configuration:
    base = configuration()
    changed = tuple(msgspec.structs.replace(one, delivery_method=method) for one in base.postbacks)
    return msgspec.structs.replace(base, postbacks=changed)


def test_derived_events_count_for_the_day_of_the_record_and_the_source_they_go_by() -> None:
    lane = Lane()
    lane.run([install(publisher_name="acme", campaign_id="c1"), event(DAY, name="payment")])
    found = {(row.day, row.publisher_name, row.campaign_id): row.counts for row in rows(lane, "events")}
    payment = {"payment": 1, "payment_ca": 1, "first_payment": 1, "first_payment_ca": 1}
    assert found == {(DAY_0, "acme", "c1"): {"install": 1}, (DAY_1, "acme", "c1"): payment}


def test_a_claim_is_counted_beside_what_it_claims() -> None:
    lane = Lane()
    lane.run([install(), install(1000, publisher_name="acme")])
    found = {row.publisher_name: row.counts for row in rows(lane, "events")}
    assert found == {None: {"install": 1}, "acme": {"claimed:install": 1}}


def test_what_is_decided_and_each_no_count_for_the_postback() -> None:
    lane = Lane()
    lane.run([install(), install(1000, publisher_name="acme")])
    (row,) = rows(lane, "postback")
    assert (row.postback_id, row.partner, row.event, row.generation) == ("install", "acme", "install", 1)
    assert row.counts == {"decided": 1, "claimed_before": 1}


def test_every_derived_event_of_a_postbacks_source_is_decided_or_refused() -> None:
    lane = Lane(config=with_method("network"))
    lane.run([install(publisher_name="acme"), event(1), event(2), install(3, device="b"), event(4, device="b")])
    (acme,) = [row.counts for row in rows(lane, "events") if row.publisher_name == "acme"]
    decided = {row.event: row.counts["decided"] for row in rows(lane, "postback")}
    assert decided == acme


def test_jobs_and_noes_count_for_the_campaign_of_the_attribution() -> None:
    lane = Lane(config=with_method("network"))
    named = {"publisher_name": "acme", "campaign_id": "c1", "campaign_name": "Winter"}
    lane.run([install(**named), install(1, device="b", publisher_name="acme", campaign_id="c2")])
    found = {(row.campaign_id, row.campaign_name): row.counts for row in rows(lane, "postback")}
    assert found == {("c1", "Winter"): {"decided": 1}, ("c2", None): {"decided": 1}}
    assert {(job.campaign_id, job.campaign_name) for job in lane.jobs} == found.keys()


def test_custom_events_that_no_postback_fires_on_count_together() -> None:
    lane = Lane()
    names = ["win", *(f"{number}-{'x' * 900}" for number in range(2_000))]
    lane.run([event(at, name=name) for at, name in enumerate(names)], progress=T0 + 10 * DAY)
    (row,) = rows(lane, "events")
    own = {f"{form}:win": 1 for form in ("event", "event_ca", "first_event", "first_event_ca")}
    assert row.counts == own | {f"{form}:*": 2_000 for form in ("event", "event_ca", "first_event", "first_event_ca")}


def test_a_custom_event_that_is_called_like_the_rest_is_one_of_them() -> None:
    base = configuration()
    star = msgspec.structs.replace(base.postbacks[0], id="star", event="event:*")
    lane = Lane(config=msgspec.structs.replace(base, postbacks=(*base.postbacks, star)))
    lane.run([event(name="*"), event(1, name="lose")], progress=T0 + 10 * DAY)
    (row,) = rows(lane, "events")
    assert row.counts["event:*"] == 2
    assert [job.postback_id for job in lane.jobs] == ["star"]


def test_long_texts_are_cut_and_two_of_the_same_beginning_stay_apart() -> None:
    lane = Lane(level="all")
    long = {name: name + "é" * 30_000 for name in ("agency_name", "campaign_id", "campaign_name")}
    for device in "ab":
        lane.run([install(device=device, publisher_name="p" * 100_000 + device, **long)])
    names = {row.publisher_name or "" for row in rows(lane, "events")}
    assert [len(name) for name in names] == [256, 256]
    for topic, value in lane.written:
        assert topic != "decisions" or len(value) < 10_000
    assert all(len(msgspec.json.encode(row)) < 10_000 for row in lane.report.values())
    assert {row.campaign_id for row in rows(lane, "postback")} == {cut(long["campaign_id"])}


def test_a_worker_of_another_id_counts_in_rows_of_its_own() -> None:
    found: Counter[str] = Counter()
    for worker in ("one", "two", "two"):
        lane = Lane(worker=worker)
        lane.run([install(publisher_name="acme")])
        assert {row.writer for row in lane.report.values()} == {worker}
        found.update(row.key().decode() for row in lane.report.values())
    assert sorted(found.values()) == [1, 1, 2, 2]


def test_rows_are_absolute_and_found_again_in_the_state() -> None:
    lane = Lane()
    for at in range(5):
        lane.run([event(at)], progress=T0 + 10 * DAY)
    (row,) = rows(lane, "events")
    assert row.counts == {"payment": 5, "payment_ca": 5, "first_payment": 1, "first_payment_ca": 1}
    stored = {key: value for key, value in lane.rows.items() if key.startswith(b"c")}
    assert msgspec.json.decode(stored[b"c" + row.key()]) == row.counts


def test_jobs_and_rows_say_the_same() -> None:
    lane = Lane()
    lane.run([install(), *(event(at * DAY // 3) for at in range(9))], progress=T0 + 10 * DAY)
    jobs = Counter((job.day, job.postback_id) for job in lane.jobs)
    first = T0 // DAY
    counted = {
        (first + (0 if row.day == DAY_0 else int(row.day[-2:]) - 2), row.postback_id): row.counts["decided"]
        for row in rows(lane, "postback")
    }
    assert counted == jobs
