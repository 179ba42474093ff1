"""What a replay writes, and what it refuses."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import DAY
from schemas.dead_letter import JOB_REASONS, REASONS, DeadLetter
from schemas.job import Job, Request
from streams.delivery import jobs
from streams.delivery.course import End, Rules, course
from streams.engine.letters import RAW_BYTES_KEPT
from streams.letters import again, shown
from streams.letters.again import Fresh, Place, Record, Refused
from streams.letters.found import Address, Found
from streams.letters.portions import Refusals, notes, portions
from tests.support.sending import configuration, job_for, partner_named, postback_named

NOW = 1_760_000_000_000
PLACE = Place(
    "delivery",
    {"delivery": 4, "events": 4},
    Rules().with_configuration(configuration([partner_named()], [postback_named()])),
)


def of_job(job: Job, **more: Any) -> Found:
    own = {"kind": "job", "reason": "attempts_used_up", "detail": "status 500", "topic": "delivery", "partition": 2}
    rest = {"offset": 1, "at": NOW, "key": b"k", "value": jobs.encode(job), "job_id": job.job_id}
    return Found(Address(2, 7), DeadLetter(**(own | rest | more)))


def of_input(**more: Any) -> Found:
    own = {"kind": "input", "reason": "invalid", "detail": "", "topic": "events", "partition": 3, "offset": 5}
    return Found(Address(3, 7), DeadLetter(**(own | {"at": NOW, "key": b"k", "value": b"{}"} | more)))


def refused(found: Found, place: Place = PLACE, fresh: Fresh | None = None) -> str:
    record = again.letter(found, place, NOW, fresh)
    assert isinstance(record, Refused)
    assert str(record)
    return record.word


@given(
    attempts=st.integers(0, 50),
    age=st.integers(0, 300 * DAY),
    max_age=st.integers(0, 366 * DAY),
    reserved=st.booleans(),
    shadow=st.booleans(),
    replayed=st.booleans(),
)
def test_a_replayed_job_is_the_same_job_due_now_and_is_sent_however_old(
    attempts: int, age: int, max_age: int, reserved: bool, shadow: bool, replayed: bool
) -> None:
    decided = NOW - age
    job = job_for("http://x.example/", 1, decided, attempts=attempts, max_age=max_age, reserved=reserved, shadow=shadow)
    if replayed:
        job = msgspec.structs.replace(job, replay=True, replayed_at=decided + age // 2)
    record = again.letter(of_job(job), PLACE, NOW)
    assert isinstance(record, Record)
    assert record[:3] == ("delivery", 2, b"k")
    found = jobs.decode(record.value, NOW)
    assert isinstance(found, Job)
    fields = {"attempts": 0, "due_at": NOW, "replay": True, "replayed_at": NOW, "reserved": False, "shadow": False}
    assert found == msgspec.structs.replace(job, **fields)
    assert course(found, PLACE.rules, NOW) == PLACE.rules.partners["acme"]
    assert course(found, PLACE.rules, NOW + max_age + 1) == End("expired", "max_age")


def test_what_would_end_at_once_or_be_poison_again_is_refused() -> None:
    assert refused(of_job(job_for("u", partner="gone"))) == "partner_removed"
    dark = PLACE._replace(
        rules=Rules().with_configuration(configuration([partner_named()], [postback_named(status="shadow")]))
    )
    assert refused(of_job(job_for("u")), dark) == "shadow"
    assert refused(of_job(job_for("u", retry_attempts=10**9))) == "no_job"
    assert refused(of_job(job_for("u"), value=b"\xff")) == "no_job"
    assert refused(of_job(job_for("u"), value=None)) == "no_job"
    assert refused(of_job(job_for("u")), PLACE._replace(partitions={"delivery": 2})) == "partition"


def test_a_job_rendered_anew_keeps_whose_it_is() -> None:
    job = job_for("http://old.example/", 1, NOW - DAY, campaign_id="c", device_key="game|d")
    new = msgspec.structs.replace(
        job, request=Request("POST", ("http://new.example/",)), max_age=5, retry_attempts=9, generation=7, decided_at=1
    )
    record = again.letter(of_job(job), PLACE, NOW, Fresh({job.job_id: new}, {}))
    assert isinstance(record, Record)
    found = msgspec.json.decode(record.value or b"", type=Job)
    assert (found.request, found.max_age, found.retry_attempts, found.generation) == (new.request, 5, 9, 7)
    assert (found.job_id, found.decided_at, found.day, found.replay) == (job.job_id, job.decided_at, job.day, True)
    assert refused(of_job(job), fresh=Fresh({}, {})) == "no_history"
    assert refused(of_job(job), fresh=Fresh({}, {job.job_id: Refused("no_postback")})) == "no_postback"
    other = msgspec.structs.replace(new, campaign_id="d")
    assert refused(of_job(job), fresh=Fresh({job.job_id: other}, {})) == "attributed_otherwise"


def test_an_input_record_goes_back_as_it_was_and_where_it_was() -> None:
    assert again.letter(of_input(key=None), PLACE, NOW) == Record("events", 3, None, b"{}")
    assert refused(of_input(value=None)) == "null"
    assert refused(of_input(value=b"x" * RAW_BYTES_KEPT)) == "cut"
    assert refused(of_input(offset=-1)) == "decoded"
    assert refused(of_input(topic="strange")) == "no_source"
    assert refused(of_input(topic="delivery")) == "no_source"
    assert refused(of_input(partition=4)) == "partition"


def test_every_refusal_and_every_reason_has_its_words() -> None:
    for word in again.REFUSALS:
        assert "{" not in str(Refused(word, "why"))
        assert "why" in str(Refused(word, "why")) or "{detail}" not in again.REFUSALS[word]
    for reason in REASONS:
        found = of_job(job_for("u"), reason=reason) if reason in JOB_REASONS else of_input(reason=reason)
        assert "{" not in shown.advice(found, [])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 200)), unique=True), st.integers(1, 7))
def test_each_letter_is_in_one_portion_with_its_note_and_refused_ones_in_none(
    places: list[tuple[int, int]], most: int
) -> None:
    found = [Found(Address(*place), of_input().letter) for place in places]

    def becomes(one: Found) -> Record | Refused:
        offset = one.address.offset
        return Refused("cut") if offset % 3 == 0 else Record("events", one.address.partition, str(offset).encode(), b"")

    refusals = Refusals()
    noted: list[tuple[int, int]] = []
    written: list[tuple[int, int]] = []
    for portion in portions(found, most, becomes, lambda some: notes("dead", "replayed", some, NOW, "me"), refusals):
        mine = [(one.partition, int(one.key or b"")) for one in portion.records if one.topic == "events"]
        said = [
            (one.partition, offset)
            for one in portion.records
            if one.topic == "dead"
            for first, last in msgspec.json.decode(one.value or b"")["offsets"]
            for offset in range(first, last + 1)
        ]
        assert sorted(mine) == sorted(said)
        assert portion.size == len(mine) <= most
        written += mine
        noted += said
    assert sorted(noted) == sorted(place for place in places if place[1] % 3)
    assert sorted(written) == sorted(noted)
    assert refusals.total == len(places) - len(noted)
