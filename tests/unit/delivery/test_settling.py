"""What is written for a job's next step or end."""

from __future__ import annotations

import msgspec
import pytest

from schemas.dead_letter import REASONS, DeadLetter
from schemas.job import Job
from schemas.receipt import Receipt
from streams.delivery import retry
from streams.delivery.course import End
from streams.delivery.jobs import Poison
from streams.delivery.outcome import Outcome
from streams.delivery.settling import Ended, Settlement, Settling, Source
from streams.delivery.tiers import Tiers
from streams.kafka import LARGEST_DEAD_LETTER, Topics
from tests.support.sending import job_for

NOW = 1_760_000_000_000
TOPICS = Topics("r.")
SETTLING = Settling(TOPICS, Tiers())
SOURCE = Source("r.delivery", 3, 17, b"key")


def job(**more: object) -> Job:
    return job_for("http://x.example/", 1, NOW, **more)


def receipts(settlement: Settlement) -> list[tuple[str, str, int]]:
    found = [msgspec.json.decode(r.value, type=Receipt) for r in settlement.records if r.topic == TOPICS.receipts]
    return [(receipt.kind, receipt.outcome, receipt.attempt) for receipt in found]


def test_a_delivery_has_its_attempt_and_its_terminal_receipt() -> None:
    settlement = SETTLING.ruled(job(attempts=2), SOURCE, Outcome("answer", 200), retry.Delivered(), NOW)
    assert receipts(settlement) == [("attempt", "delivered", 3), ("terminal", "delivered", 3)]
    assert all(record.key == b"key" and record.partition is None for record in settlement.records)


def test_each_receipt_says_everything_under_its_own_name() -> None:
    asked = job(attempts=2, replay=True, generation=7)
    outcome = Outcome("answer", 503, "e", duration_ms=1.5, address="192.0.2.1:80", response="busy")
    said = SETTLING.ruled(asked, SOURCE, outcome, retry.Failed("attempts_used_up"), NOW)
    again = SETTLING.ruled(asked, SOURCE, outcome, retry.Retry(NOW + 40_000), NOW)
    both = {
        **{name: getattr(asked, name) for name in ("job_id", "postback_id", "partner", "app_id", "event")},
        **{"record_id": asked.record_id, "attempt": 3, "outcome": "failed", "status": 503, "error": "e", "at": NOW},
        **{"generation": 7, "replay": True},
    }
    tried = {"kind": "attempt", "duration_ms": 1.5, "address": "192.0.2.1:80", "response": "busy"}
    nothing = {"kind": "terminal", "next_at": None, "duration_ms": None, "address": None, "response": None}
    found = [msgspec.json.decode(record.value) for record in (*said.records[:2], again.records[0])]
    assert found == [both | tried | {"next_at": None}, both | nothing, both | tried | {"next_at": NOW + 40_000}]
    assert all(tuple(one) == Receipt.__struct_fields__ for one in found)


def test_a_retry_is_charged_and_waits_in_the_tier_of_its_time() -> None:
    settlement = SETTLING.ruled(job(), SOURCE, Outcome("answer", 500), retry.Retry(NOW + 40_000), NOW)
    assert receipts(settlement) == [("attempt", "failed", 1)]
    record = settlement.records[1]
    again = msgspec.json.decode(record.value, type=Job)
    assert (record.topic, again.attempts, again.due_at) == ("r.delivery.retry.32s", 1, NOW + 40_000)


@pytest.mark.parametrize("reason", ["attempts_used_up", "no_retry_status", "unsendable"])
def test_a_failure_has_both_receipts_and_a_dead_letter_that_can_be_replayed(reason: str) -> None:
    settlement = SETTLING.ruled(job(attempts=3), SOURCE, Outcome("answer", 500), retry.Failed(reason), NOW)
    assert receipts(settlement) == [("attempt", "failed", 4), ("terminal", "failed", 4)]
    letter = msgspec.json.decode(settlement.records[2].value, type=DeadLetter)
    assert (letter.reason, letter.status, letter.topic, letter.partition, letter.offset) == (
        reason,
        500,
        "r.delivery",
        3,
        17,
    )
    assert reason in REASONS
    assert letter.value is not None
    assert msgspec.json.decode(letter.value, type=Job).job_id == "job-1"


def test_what_is_not_charged_leaves_no_receipt() -> None:
    settlement = SETTLING.ruled(job(), SOURCE, Outcome("ours"), retry.NotCharged(NOW + 9_000), NOW)
    assert receipts(settlement) == []
    assert msgspec.json.decode(settlement.records[0].value, type=Job).attempts == 0


def test_parking_never_makes_a_job_due_earlier() -> None:
    settlement = SETTLING.parked(job(due_at=NOW + 60_000), SOURCE, NOW + 8_000, NOW, "lane", reserved=True)
    parked = msgspec.json.decode(settlement.records[0].value, type=Job)
    assert (parked.due_at, parked.reserved) == (NOW + 60_000, True)


def test_an_end_without_a_request_is_one_terminal_receipt() -> None:
    settlement = SETTLING.ended(job(), SOURCE, End("suppressed", "shadow"), NOW)
    assert receipts(settlement) == [("terminal", "suppressed", 0)]


def test_poison_that_names_its_job_ends_it() -> None:
    assert receipts(SETTLING.poisoned(Poison("bad", job()), SOURCE, b"{}", NOW)) == [("terminal", "failed", 0)]
    nameless = SETTLING.poisoned(Poison("bad"), SOURCE, b"x" * 2_000_000, NOW)
    assert [record.topic for record in nameless.records] == [TOPICS.dead_letters]
    assert len(nameless.records[0].value) < LARGEST_DEAD_LETTER


def counted(settlement: Settlement) -> list[Ended]:
    return [record.ended for record in settlement.records if record.ended is not None]


def test_an_end_counts_once_whatever_it_is_and_on_the_day_of_its_record() -> None:
    ended, one = job(day=20_000, generation=7, campaign_id="c1", campaign_name="Winter"), Outcome("answer", 200)
    settlements = {
        "delivered": SETTLING.ruled(ended, SOURCE, one, retry.Delivered(), NOW),
        "failed": SETTLING.ruled(ended, SOURCE, one, retry.Failed("attempts_used_up"), NOW),
        "suppressed": SETTLING.ruled(ended, SOURCE, one, retry.Suppressed("blocked"), NOW),
        "expired": SETTLING.ended(ended, SOURCE, End("expired", "max_age"), NOW),
    }
    for outcome, settlement in settlements.items():
        row = (20_000, "game", 7, "acme", "acme-install", "install", "c1", "Winter")
        assert counted(settlement) == [Ended(row, outcome)]
        assert settlement.terminal == outcome


def test_what_has_not_ended_what_ended_before_and_what_is_no_job_count_nothing() -> None:
    one = Outcome("answer", 500)
    for settlement in (
        SETTLING.ruled(job(), SOURCE, one, retry.Retry(NOW + 40_000), NOW),
        SETTLING.ruled(job(replay=True), SOURCE, one, retry.Delivered(), NOW),
        SETTLING.poisoned(Poison("bad"), SOURCE, b"{}", NOW),
        SETTLING.poisoned(Poison("day is -1", job(day=-1)), SOURCE, b"{}", NOW),
        # Written before there were reports: it was not counted as decided.
        SETTLING.ruled(job(day=0), SOURCE, one, retry.Delivered(), NOW),
    ):
        assert counted(settlement) == []
    assert len(counted(SETTLING.poisoned(Poison("bad", job(day=20_000)), SOURCE, b"{}", NOW))) == 1
