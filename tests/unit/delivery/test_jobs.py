"""A record is a job, or poison."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.job import Job
from streams.delivery.jobs import Poison, decode, encode
from streams.delivery.settling import Settling, Source
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


def test_what_is_said_of_poison_fits_into_its_topics_however_large_it_is() -> None:
    """A record may be as large as the delivery topic lets it be; one that cannot be settled would stop the sender."""
    source = Source("r.delivery", 0, 7, b"k")
    settling = Settling(Topics("r."), Tiers())
    huge = "x" * 1_040_000
    whole = msgspec.to_builtins(job_for("http://x.example/", 1, NOW))
    for name, value in (("partner", huge), ("job_id", huge), ("event", huge), ("shadow", huge), ("nothing", huge)):
        raw = msgspec.json.encode(whole | {name: value, "attempts": -1 if name == "nothing" else 0})
        poison = decode(raw, NOW)
        assert isinstance(poison, Poison)
        for record in settling.poisoned(poison, source, raw, NOW).records:
            room = LARGEST_DEAD_LETTER if record.topic.endswith("dead-letters") else LARGEST_BATCH
            assert len(record.value) < room - 10_000
