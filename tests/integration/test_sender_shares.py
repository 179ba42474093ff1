"""One partner's limit holds over two sender processes, also while one of them is killed."""

from __future__ import annotations

import itertools
import time
from bisect import bisect_left

from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.processes import Start
from tests.support.sending import Bench, configuration, job_for, partner_named
from tests.support.waiting import eventually


def now() -> int:
    return int(time.time() * 1000)


MODULE = "tests.support.sender_process"
RATE = 100
#: By then a process is known to be gone, and its part is another's (ms); its partitions are only 9 to 11 s after.
TAKEN_OVER = 2_500
#: And for so long it is nobody's for sure, whenever it spoke last.
UNUSED = 800
UNDISTURBED = 2_500


def test_a_rate_holds_over_two_processes_and_when_one_is_killed(
    settings: Settings, start: Start, partner: Partner
) -> None:
    bench = Bench(settings)
    bench.create()
    bench.configure(configuration([partner_named(rate_limit=float(RATE))]))
    senders = [start(module=MODULE), start(module=MODULE)]
    eventually(lambda: all("of=4 partitions=2" in one.output() for one in senders), within=60)
    numbers = itertools.count()

    def feed(count: int) -> None:
        bench.decide(job_for(partner.url("/i"), n) for n in itertools.islice(numbers, count))

    def until(moment: int) -> int:
        """Some more jobs come in than may be sent, over all partitions, up to this moment."""

        def over() -> bool:
            feed(RATE * 6 // 10)
            return now() >= moment

        eventually(over, within=30, every=0.5)
        return now()

    feed(10 * RATE)
    eventually(lambda: partner.count > 50, within=30)
    began = now()
    until(began + 5_000)
    senders[0].kill()
    killed = now()
    until(killed + TAKEN_OVER + UNDISTURBED)

    arrived = sorted(request.at for request in partner.requests)

    def rate(since: int, until: int) -> float:
        return (bisect_left(arrived, until) - bisect_left(arrived, since)) * 1_000 / (until - since)

    # What the machine held up for a moment comes together: so windows of two seconds.
    most = max(rate(since, since + 2_000) for since in range(began, killed + TAKEN_OVER + UNDISTURBED - 2_000, 100))
    assert most <= 1.1 * RATE, most
    before = rate(began + 1_500, killed)
    assert 0.95 * RATE <= before <= 1.05 * RATE, before
    meanwhile = rate(killed + 100, killed + UNUSED)
    assert meanwhile <= 0.65 * RATE, f"{meanwhile}: the part of the one that was killed is nobody's yet"
    after = rate(killed + TAKEN_OVER, killed + TAKEN_OVER + UNDISTURBED)
    assert 0.95 * RATE <= after <= 1.05 * RATE, after
