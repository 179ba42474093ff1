"""A configuration that changes while worker and sender run: both switch without a restart, what was decided before
keeps its old request, and a record that cannot be read changes nothing (faults S12).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from streams.local.guarded import GuardedProcess
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.engine_bench import probe, wait_ready
from tests.support.processes import Start
from tests.support.sending import Bench
from tests.support.topics import Sent, create_topics
from tests.support.waiting import eventually

#: Long enough for a new generation to be applied while a job of the old one waits.
DELAY = "9s"


class Shop:
    """One app, its postbacks `moving` and `pausing` on every install, and the processes that serve them."""

    def __init__(self, settings: Settings, start: Start, partner: Partner, folder: Path) -> None:
        self.bench = Bench(settings)
        self._prefix, self._start, self._partner, self._folder = settings.topic_prefix, start, partner, folder
        self.installs = f"{self._prefix}installs"
        self.bench.create()
        create_topics(settings.bootstrap_servers, {self.installs: settings.partitions})

    def apply(self, path: str, delay: str, status: str) -> None:
        """Apply a generation in which `moving` goes to `path` after `delay`, and `pausing` has this status."""
        lines = [
            f"sources: [{{topic: {self.installs}, record: install}}]",
            "apps: [{id: game, project: game, platform: android}]",
            "partners: [{id: acme, name: Acme}]",
            "postbacks:",
            "  - {id: moving, app: game, partner: acme, event: install, delivery_method: all,",
            f"     delivery_delay: {delay}, url: '{self._partner.url(path)}?d={{google_aid}}'}}",
            "  - {id: pausing, app: game, partner: acme, event: install, delivery_method: all,",
            f"     status: {status}, url: '{self._partner.url('/pausing')}?d={{google_aid}}'}}",
        ]
        self._folder.mkdir(exist_ok=True)
        (self._folder / "shop.yaml").write_text("\n".join(lines) + "\n")
        process = self._start("apply", str(self._folder))
        assert process.wait(60) == 0, process.output()

    def install(self, device: str) -> None:
        """A device installs the app."""
        record = {"app_id": "game", "google_aid": device, "id": "1"}
        self.bench.write(self.installs, [Sent(json.dumps(record).encode(), f"game|{device}".encode())])

    def received(self) -> Counter[str]:
        """How often the partner was asked for each target."""
        return Counter(request.target for request in self._partner.requests)


def samples(process: GuardedProcess, name: str) -> list[float]:
    """The values of a metric, one for each of its labels."""
    lines = probe(process, "/metrics")[1].splitlines()
    return [float(line.split()[-1]) for line in lines if line.startswith((f"ringback_{name} ", f"ringback_{name}{{"))]


def wait_until(process: GuardedProcess, name: str, *wanted: float) -> None:
    """Until the metric has these values."""
    eventually(lambda: samples(process, name) == [*wanted], within=30, what=f"{name} is {wanted}")


@pytest.mark.timeout(180)
def test_running_processes_switch_to_a_new_generation(
    settings: Settings, start: Start, partner: Partner, tmp_path: Path
) -> None:
    shop = Shop(settings, start, partner, tmp_path / "config")
    shop.apply("/old", DELAY, "active")
    processes = [start("worker"), start("sender")]
    for process in processes:
        wait_ready(process, within=60)
    shop.install("d1")
    eventually(lambda: shop.received() == {"/pausing?d=d1": 1}, within=30)

    shop.apply("/new", "0s", "paused")
    for process in processes:
        wait_until(process, "config_generation", 2)
    shop.install("d2")
    eventually(lambda: shop.received()["/new?d=d2"], within=30)
    expected = {"/pausing?d=d1": 1, "/new?d=d2": 1, "/old?d=d1": 1}
    eventually(lambda: shop.received() == expected, within=30, what="the job decided before keeps its URL")

    unreadable = [Sent(b"\xff", b"no part of a configuration"), Sent(b"{", b"generation/77")]
    shop.bench.write(shop.bench.topics.config, unreadable)
    for process in processes:
        wait_until(process, "config_errors_total", 2)
    shop.install("d3")
    eventually(lambda: shop.received()["/new?d=d3"], within=30)
    assert shop.received() == expected | {"/new?d=d3": 1}
    # The worker reads the installs and the users, the sender the jobs that are due.
    for process, topics in zip(processes, (2, 1), strict=True):
        wait_until(process, "config_generation", 2)
        assert probe(process, "/readyz")[0] == 200
        for name in ("lag_records", "lag_seconds"):
            wait_until(process, name, *[0] * settings.partitions * topics)
        assert process.end(30) == 0, process.output()
        assert "Traceback" not in process.output()
