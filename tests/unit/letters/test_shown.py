"""Letters in words."""

from __future__ import annotations

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import DeadLetter, Note
from schemas.job import Deferred, Request
from schemas.receipt import Receipt
from streams.delivery import jobs
from streams.letters import shown
from streams.letters.again import Refused
from streams.letters.found import Address, Found
from streams.letters.groups import Groups
from streams.letters.pace import MOST_AT_ONCE, Pace
from streams.letters.portions import EXAMPLES, TEXTS, Refusals
from tests.support.sending import job_for

NOW = 1_767_323_045_000


def letter(**more: object) -> Found:
    secret = Deferred("text", "Bearer ${env:ACME_KEY}", (), "header")
    request = Request(
        "POST", ("https://x.example/?a=", Deferred("macro", "attempt", (), "query")), (("Auth", (secret,)),)
    )
    job = job_for("", 1, NOW, request=msgspec.structs.replace(request, body=("b=1",)))
    own = {
        "kind": "job",
        "reason": "attempts_used_up",
        "detail": "status 500",
        "topic": "d",
        "partition": 2,
        "offset": 4,
    }
    rest = {"at": NOW, "value": jobs.encode(job), "partner": "acme", "status": 500, "job_id": "job-1"}
    return Found(Address(3, 7), DeadLetter(**(own | rest | more)))  # type: ignore[arg-type]


RECEIPT = Receipt(
    kind="attempt", job_id="job-1", postback_id="p", partner="acme", app_id="game", event="install", record_id="r",
    attempt=1, outcome="failed", status=500, error=None, at=NOW, next_at=None, duration_ms=12.4,
    address="203.0.113.7:443", response="try later", generation=1, replay=False,
)  # fmt: skip


def test_everything_of_a_job_is_told_and_secrets_are_their_references() -> None:
    end = msgspec.structs.replace(RECEIPT, kind="terminal", error="attempts_used_up")
    text = "\n".join(shown.lines(letter(), [], [RECEIPT, end]))
    for said in (
        "dead letter 3:7: attempts_used_up, the partner refused",
        "d partition 2 offset 4",
        "job-1, of acme-install (install), partner acme, app game",
        "record-1 of game|device-1",
        "POST https://x.example/?a={attempt}",
        "Auth: Bearer ${env:ACME_KEY}",
        "b=1",
        "1 at 2026-01-02T03:04:05Z: failed, status 500 in 12 ms (203.0.113.7:443)",
        "answer: try later",
        "failed at 2026-01-02T03:04:05Z, attempts_used_up",
        "`ringback dlq replay 3:7` sends it as it was decided",
    ):
        assert said in text
    note = Note(kind="note", done="replayed", offsets=((7, 7),), at=NOW, by="ops@here")
    text = "\n".join(shown.lines(letter(), [note], []))
    assert "replayed    at 2026-01-02T03:04:05Z by ops@here" in text
    assert "nothing: what became of the replay" in text


@given(st.binary(max_size=50), st.text(max_size=30), st.integers(), st.sampled_from(["job", "input"]))
def test_whatever_a_letter_holds_it_is_told(value: bytes, text: str, number: int, kind: str) -> None:
    at = number if abs(number) < 1 << 62 else 0
    found = letter(value=value, detail=text, reason=text, topic=text, at=at, kind=kind, offset=at, event=text)
    assert list(shown.lines(found, [], []))
    assert msgspec.json.encode(shown.whole(found, [], [RECEIPT]))
    assert len(shown.each_row(found)) == len(shown.EACH)
    groups = Groups()
    groups.take(*found)
    for group, counted in groups.lines():
        assert len(shown.group_row(group, counted)) == len(shown.GROUPS)
        assert msgspec.json.encode(shown.group_plain(group, counted))


def test_a_refusal_names_a_few_and_says_why() -> None:
    assert shown.refusal(1, [("1:2", Refused("null"))], "purged") == (
        "1 not purged (1:2): its value is null, and would be refused again"
    )
    assert re.match(r"5 not replayed \(a, …\): it is too large", shown.refusal(5, [("a", Refused("cut"))], "replayed"))


def test_refusals_are_told_by_their_words_as_long_as_these_are_few() -> None:
    refusals = Refusals()
    for number in range(200):
        refusals.take(str(number), Refused("no_job", f"detail {number % 50}"))
    assert refusals.total == 200
    assert len(refusals.counts) == TEXTS + 1
    assert all(len(some) <= EXAMPLES for some in refusals.examples.values())


@given(st.floats(1 / 86_400, 1_000_000), st.integers(0, 100_000))
def test_no_letter_is_written_before_its_turn_and_a_pace_is_kept(rate: float, count: int) -> None:
    pace = Pace(rate)
    assert 1 <= pace.at_once <= MOST_AT_ONCE
    # When so many are done, so many could be done at that rate.
    assert pace.due(count) * rate <= count * 1.000001 + 1e-6
    assert pace.due(count + pace.at_once) - pace.due(count) >= pace.at_once / rate * 0.999
    assert Pace().due(count) == 0
