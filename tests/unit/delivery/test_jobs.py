"""A record is a job, or poison."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.job import Job
from streams.delivery.counts import Counts
from streams.delivery.jobs import LONGEST_KEY, LONGEST_NAMES, Poison, decode, encode
from streams.delivery.outcome import Outcome
from streams.delivery.retry import Delivered, Failed, Retry
from streams.delivery.settling import Record, Settling, Source
from streams.delivery.tiers import Tiers
from streams.kafka import LARGEST_BATCH, LARGEST_DEAD_LETTER, Topics
from tests.support.sending import job_for

NOW = 1_760_000_000_000


def test_a_job_survives_its_record() -> None:
    job = job_for("http://x.example/", 1, NOW, attempts=2, replay=True, reserved=True)
    assert decode(encode(job), NOW) == job


@pytest.mark.parametrize("value", [None, b"", b"{", b"null", b"[]", b"7", b"\xff\xfe", b"[" * 100_000, b'{"job_id":5}'])
def test_what_is_no_job_is_poison(value: bytes | None) -> None:
    found = decode(value, NOW)
    assert isinstance(found, Poison)
    assert found.job is None
    assert found.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", -1),
        ("attempts", 10**9),
        ("retry_attempts", -1),
        ("retry_attempts", 10**9),
        ("due_at", 10**9),
        ("due_at", -5),
        ("due_at", 10**17),
        ("decided_at", 0),
        ("decided_at", NOW + 10**10),
        ("max_age", -1),
        ("max_age", 10**15),
        ("replayed_at", -1),
        ("replayed_at", NOW + 10**10),
        ("day", -1),
        ("day", 10**9),
        ("job_id", ""),
        ("job_id", "a\r\nX: y"),
        ("job_id", "x" * 1_000),
        ("job_id", "ü"),
    ],
)
def test_absurd_values_are_poison_that_names_the_job(name: str, value: object) -> None:
    found = decode(msgspec.json.encode(job_for("http://x.example/", 1, NOW, **{name: value})), NOW)
    assert isinstance(found, Poison)
    assert isinstance(found.job, Job)
    assert name in found.detail


@given(st.binary(max_size=300))
def test_no_bytes_raise(value: bytes) -> None:
    decode(value, NOW)


def fits(records: Iterable[Record]) -> bool:
    """Whether the topics take these, and the rows of the report that go with them."""
    kept, counts = list(records), Counts("r.report", "w" * 40)
    ends = [one.ended for one in kept if one.ended is not None]
    rows = [row for _, row in counts.records(counts.with_these(ends), 0)]
    room = {True: LARGEST_DEAD_LETTER, False: LARGEST_BATCH}
    return all(
        len(one.key or b"") + len(one.value) < room[one.topic.endswith("dead-letters")] - 10_000
        for one in (*kept, *rows)
    )


@pytest.mark.parametrize("name", ["partner", "job_id", "event", "campaign_name", "shadow", "nothing"])
@pytest.mark.parametrize("key", [b"k", b"k" * 600_000])
def test_what_is_said_of_poison_fits_into_its_topics_however_large_it_is(name: str, key: bytes) -> None:
    """A record may be as large as the delivery topic lets it be; one that cannot be settled would stop the sender."""
    whole = msgspec.to_builtins(job_for("http://x.example/", 1, NOW))
    wrong = {name: "x" * (1_040_000 - len(key)), "attempts": -1 if name == "nothing" else 0}
    raw = msgspec.json.encode(whole | wrong)
    poison = decode(raw, NOW, key)
    assert isinstance(poison, Poison)
    source = Source("r.delivery", 0, 7, key)
    assert fits(Settling(Topics("r."), Tiers()).poisoned(poison, source, raw, NOW).records)


@pytest.mark.parametrize("name", ["record_id", "event", "campaign_id", "campaign_name"])
def test_what_is_said_of_a_job_fits_into_its_topics_with_the_longest_names_and_key(name: str) -> None:
    key = b"k" * LONGEST_KEY
    # Six characters each in JSON.
    raw = msgspec.json.encode(job_for("http://x.example/", 1, NOW, **{name: "\x01" * (LONGEST_NAMES - 200)}))
    job = decode(raw, NOW, key)
    assert isinstance(job, Job)
    source, settling = Source("r.delivery", 0, 7, key), Settling(Topics("r."), Tiers())
    outcome = Outcome("answer", 500, response="\x01" * 4_096)
    for verdict in (Delivered(), Retry(NOW), Failed("attempts_used_up")):
        assert fits(settling.ruled(job, source, outcome, verdict, NOW).records)
    assert isinstance(decode(raw, NOW, key + b"k"), Poison)
    longer = msgspec.json.encode(msgspec.structs.replace(job, **{name: "x" * (LONGEST_NAMES + 1)}))
    assert isinstance(decode(longer, NOW, b"k"), Poison)
