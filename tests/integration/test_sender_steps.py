"""A sender killed at each step of a request and of the transaction that settles it (D1, D2)."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from streams.delivery.faults import STEPS
from streams.faults import VARIABLE
from streams.local.exchange import Answer, Request
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.sending import Bench, configuration, job_for, partner_named
from tests.support.waiting import eventually

MODULE = "tests.support.sender_process"
KILLED = 137
IN_FLIGHT, DELAY = 20, 0.03
#: So many jobs come with each kill, and every third one is refused once.
PART = 200
#: Of a request, and of a transaction: at which time the step is fatal.
TIMES = dict.fromkeys(("sending", "flying", "answered"), 60)


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """With a name that is kept, the next process has the partitions at once."""
    return make_settings(instance_id="one", partitions=2)


def refusing_once(delay: float = DELAY) -> object:
    """Answers 500 to the first request for every third job: not so often that the breaker opens."""
    seen = set[str]()

    def rule(request: Request) -> Answer:
        job_id = request.job_id or ""
        if int(job_id.partition("-")[2]) % 3 or job_id in seen:
            return Answer(delay=delay)
        seen.add(job_id)
        return Answer(status=500, delay=delay)

    return rule


@pytest.mark.timeout(180)
def test_killed_at_each_step_nothing_is_lost_and_no_chain_forks(
    settings: Settings, start: Start, partner: Partner
) -> None:
    bench = Bench(settings)
    bench.create()
    bench.configure(configuration([partner_named(max_in_flight=IN_FLIGHT)]))
    partner.rule("/i", refusing_once())  # type: ignore[arg-type]
    count = 0
    for step in STEPS:
        bench.decide(job_for(partner.url("/i"), n) for n in range(count, count + PART))
        count += PART
        fatal = {VARIABLE: f"{step}:{TIMES.get(step, 3)}", "RINGBACK_TEST_QUICK": "yes"}
        process = start(module=MODULE, **fatal)
        eventually(lambda process=process: not process.running, within=60, what=f"death at {step}\n{process.log_path}")  # type: ignore[misc]
        assert process.exit_code == KILLED, process.output()
    start(module=MODULE, RINGBACK_TEST_QUICK="yes")
    eventually(lambda: len(bench.terminal()) >= count, within=90, every=0.5, what=f"{count} jobs have ended")

    assert bench.outcomes() == {"delivered": count}
    attempts: defaultdict[str, list[int]] = defaultdict(list)
    for receipt in bench.receipts():
        if receipt.kind == "attempt":
            attempts[receipt.job_id].append(receipt.attempt)
    # What was refused and then lost with its sender was asked again under the same number, and taken.
    assert {job: sorted(numbers) for job, numbers in attempts.items()} == {
        job: [*range(1, len(numbers) + 1)] for job, numbers in attempts.items()
    }
    assert max(map(len, attempts.values())) == 2
    sent = Counter(partner.job_ids())
    assert len(sent) == count
    # At each kill what was in flight, and 50 ms of sends.
    repeats = sum(times - len(attempts[job or ""]) for job, times in sent.items())
    assert 0 < repeats <= len(STEPS) * (IN_FLIGHT + IN_FLIGHT * 0.05 / DELAY), repeats
