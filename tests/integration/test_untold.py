"""Counts that a worker has not told the report topic yet: nobody takes them for missing, and nothing loses them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from schemas.report import DECIDED
from streams.engine.faults import VARIABLE
from streams.local.guarded import GuardedProcess
from streams.local.partner import Partner
from streams.reports import reading
from streams.reports.totals import totals
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.engine_bench import again_and_again, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.sending import Bench, sending
from tests.support.topics import Sent, create_topics, values
from tests.support.waiting import eventually, eventually_async

__all__ = ["ringback"]

KILLED = 137
#: A partition of each stage has counted something: an install, and a new user.
DEVICES = 24
CONFIGURATION = """\
sources: [{{topic: {prefix}installs, record: install}}, {{topic: {prefix}events, record: event}}]
apps: [{{id: game, project: shop, platform: android, device_key: [google_aid], install_grace: 0s}}]
partners: [{{id: acme, name: Acme}}]
postbacks:
  - {{id: install, app: game, partner: acme, event: install, url: '{url}/i'}}
  - {{id: user, app: game, partner: acme, event: new_user, delivery_method: all, url: '{url}/u'}}
"""


class Shop:
    """One app; each of its devices is another user's, and has two jobs."""

    def __init__(self, settings: Settings, start: Start, folder: Path) -> None:
        self.settings, self._start, self._folder = settings, start, folder
        self.bench = Bench(settings)
        self.bench.create()
        self._inputs = [f"{settings.topic_prefix}{name}" for name in ("installs", "events")]
        create_topics(settings.bootstrap_servers, dict.fromkeys(self._inputs, settings.partitions))
        self.sent = 0

    def apply(self, url: str = "http://127.0.0.1:9") -> None:
        file = self._folder / "shop.yaml"
        file.write_text(CONFIGURATION.format(prefix=self.settings.topic_prefix, url=url))
        applied = self._start("apply", str(file))
        assert applied.wait(60) == 0, applied.output()

    def install(self, count: int = DEVICES) -> None:
        """So many more devices."""
        records = []
        for number in range(self.sent, self.sent + count):
            record = {"id": f"i{number}", "app_id": "game", "google_aid": f"d{number}", "user_id": f"u{number}"}
            record["publisher_name"] = "acme"
            records.append(Sent(json.dumps(record).encode(), f"game|d{number}".encode()))
        self.sent += count
        self.bench.write(self._inputs[0], records)

    def worker(self, **more: str) -> GuardedProcess:
        return self._start("worker", **more)

    def jobs(self) -> int:
        """How many jobs were decided."""
        return len(values(self.settings.bootstrap_servers, self.bench.topics.delivery))

    def have_ended(self, jobs: int) -> bool:
        """More than so many have."""
        return len(self.bench.terminal()) > jobs

    def counted(self) -> reading.Counted:
        """What has been told by now."""
        return reading.counted(self.settings, patience=0)

    def marks(self) -> int:
        """How many partitions have more to tell."""
        return len(self.counted().behind)

    def decided(self) -> Counter[str]:
        """How many jobs are told as decided, by postback."""
        jobs = totals(self.counted().rows).jobs
        return +Counter({one.postback_id: counts[DECIDED] for one, counts in jobs.items()})

    def told(self) -> bool:
        """Whether all is told of everything that was sent."""
        return self.marks() == 0 and self.decided() == {"install": self.sent, "user": self.sent}


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """Whoever comes again has its partitions at once."""
    return make_settings(instance_id="one")


@pytest.fixture
def shop(settings: Settings, start: Start, tmp_path: Path) -> Shop:
    return Shop(settings, start, tmp_path)


@asynccontextmanager
async def delivering(shop: Shop) -> AsyncIterator[None]:
    """With a partner, and a sender that runs."""
    async with Partner() as partner:
        await asyncio.to_thread(shop.apply, partner.url("").rstrip("/"))
        async with sending(shop.settings):
            yield


def test_a_worker_tells_what_it_has_counted_when_nothing_more_comes_and_when_it_is_ended(shop: Shop) -> None:
    shop.apply()
    shop.install()
    worker = shop.worker()
    eventually(shop.told, within=60, every=0.2)
    shop.install()
    eventually(lambda: shop.marks() > 0, within=30)
    assert worker.end(20) == 0, worker.output()
    assert shop.marks() == 0
    assert sum(shop.decided().values()) == shop.jobs()


@pytest.mark.timeout(120)
async def test_what_a_killed_worker_left_untold_is_told_by_the_next_and_the_check_waits_for_it(
    shop: Shop, ringback: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with delivering(shop):
        await asyncio.to_thread(shop.install)
        killed = shop.worker(**{VARIABLE: "device/acknowledged:1"})
        assert await asyncio.to_thread(killed.wait, 60) == KILLED, killed.output()
        jobs = shop.jobs()
        assert (jobs > 0, shop.decided()) == (True, {}), "the worker was to die before it told anything"
        await eventually_async(lambda: len(shop.bench.terminal()) == jobs, within=30)

        monkeypatch.setattr(reading, "TELL_SECONDS", 1.0)
        status, out, err = await asyncio.to_thread(ringback, "report", "--check")
        assert (status, "agree" in out, "decided, but" in out) == (3, False, False), out
        assert "how jobs ended could not be compared with what was decided: the counts of " in err
        assert f"no worker ({shop.settings.worker_id}) has told them" in err
        status, out, err = await asyncio.to_thread(ringback, "report")
        assert status == 0
        assert " behind: since 2" in err

        monkeypatch.setattr(reading, "TELL_SECONDS", 60.0)
        checking = asyncio.create_task(asyncio.to_thread(ringback, "report", "--check"))
        worker = shop.worker()
        status, out, err = await checking
        assert (status, "all counts agree" in out) == (0, True), out + err
        await eventually_async(shop.told, within=30)
        status, out, err = await asyncio.to_thread(ringback, "report", "--check")
        assert (status, f"{2 * shop.sent} decided" in out) == (0, True), out + err
        assert await asyncio.to_thread(worker.end, 20) == 0


@pytest.mark.timeout(120)
async def test_under_traffic_each_check_is_right_and_a_killed_worker_changes_nothing(
    shop: Shop, ringback: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Until the next worker has come.
    monkeypatch.setattr(reading, "TELL_SECONDS", 60.0)
    async with delivering(shop):
        worker = shop.worker()
        await asyncio.to_thread(wait_ready, worker)
        with again_and_again(lambda: shop.install(10)):
            for jobs in (0, 100, 200, 300):
                await eventually_async(partial(shop.have_ended, jobs), within=30)
                if jobs == 200:
                    worker.kill()
                    worker = shop.worker()
                status, out, err = await asyncio.to_thread(ringback, "report", "--check")
                assert (status, "all counts agree" in out) == (0, True), out + err
        await eventually_async(shop.told, within=60, every=0.3)
        assert await asyncio.to_thread(worker.end, 20) == 0
