"""The main job: a shop's log in Kafka becomes exactly the postbacks that an independent count of the log says."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.settings import Settings
from tests.acceptance import main_job, shop
from tests.acceptance.counted import counted


def check(outcome: main_job.Outcome) -> None:
    """Every postback has its count, every job ended once, delivered, and the reports show what another tool counts."""
    installs, events = (shop.DATA / f"cdnow-{name}.jsonl.gz" for name in ("installs", "events"))
    assert outcome.received == shop.expected(installs, events)
    assert outcome.terminal == {"delivered": outcome.received.total()}
    assert outcome.ended_more_than_once == 0
    assert [line for line in outcome.checked if not line.startswith("all counts agree")] == []
    assert outcome.reported == counted(installs, events)
    assert outcome.decided == {shop.named(which): count for which, count in outcome.received.items()}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("order", ["events first", "backlog"])
def test_the_partner_receives_exactly_what_the_log_holds(
    order: main_job.Order, settings: Settings, tmp_path: Path
) -> None:
    outcome = main_job.run(settings, tmp_path, order=order)
    check(outcome)
    assert outcome.repeated == 0


@pytest.mark.timeout(300)
def test_nothing_is_lost_and_nothing_decided_twice_when_worker_and_sender_are_killed(
    settings: Settings, tmp_path: Path
) -> None:
    outcome = main_job.run(settings, tmp_path, kills=2)
    check(outcome)
    assert outcome.repeated, "the kills came while jobs were under way"
    assert outcome.unexplained == 0
