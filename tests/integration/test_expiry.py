"""`forget_after` on a real worker: the states of the silent are deleted, through the changelog, also over a kill; and
who comes back is new.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from schemas.config import DAY
from streams.engine.expiry_sweep import AT_ONCE
from streams.engine.faults import VARIABLE
from streams.engine.stages import changelog_topic
from streams.engine.store import Store, StoreMemory
from streams.kafka import Topics
from streams.local.guarded import GuardedProcess
from tests.support.engine_bench import probe, wait_ready
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.sending import Bench
from tests.support.topics import Sent, create_topics, read_topic
from tests.support.waiting import eventually

PARTITIONS = 1
SILENT = 800
ACTIVE = 20
FORGOTTEN, DEVICE, USER = "states_forgotten_total", 'stage="device"', 'stage="user"'


class Game:
    """An app whose devices installed long ago, by the stamps of their producer, or just now."""

    def __init__(self, make_settings: MakeSettings, start: Start, folder: Path) -> None:
        self.settings = make_settings(partitions=PARTITIONS, sweep_rows=2_000)
        self.start, self._folder = start, folder
        self.bench = Bench(self.settings)
        self.bench.create()
        self.topics = Topics(self.settings.topic_prefix)
        self.installs = f"{self.settings.topic_prefix}installs"
        kept = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
        create_topics(self.settings.bootstrap_servers, {self.installs: PARTITIONS}, kept)

    def apply(self, forget_after: str) -> None:
        lines = [
            f"sources: [{{topic: {self.installs}, record: install}}]",
            "apps: [{id: game, project: game, platform: android, inactivity_window: 1d, "
            f"forget_after: {forget_after}}}]",
            "partners: [{id: acme}]",
            "postbacks:",
            "  - {id: first, app: game, partner: acme, event: install, delivery_method: all, url: 'https://a.example'}",
            "  - {id: user, app: game, partner: acme, event: new_user, delivery_method: all, url: 'https://a.example'}",
        ]
        self._folder.mkdir(exist_ok=True)
        (self._folder / "game.yaml").write_text("\n".join(lines) + "\n")
        process = self.start("apply", str(self._folder))
        assert process.wait(60) == 0, process.output()

    def worker(self) -> GuardedProcess:
        process = self.start("worker", with_settings=self.settings)
        wait_ready(process, within=60)
        return process

    def install(self, devices: Iterable[str], record_id: str, appended: int) -> None:
        self.bench.write(
            self.installs,
            [
                Sent(
                    json.dumps({"app_id": "game", "google_aid": one, "id": record_id, "user_id": one}).encode(),
                    f"game|{one}".encode(),
                    timestamp=appended,
                )
                for one in devices
            ],
        )

    def jobs(self, postback: str) -> list[str]:
        """The devices of a postback's jobs."""
        found = [
            json.loads(one.value or b"{}") for one in read_topic(self.settings.bootstrap_servers, self.topics.delivery)
        ]
        return sorted(job["device_key"] for job in found if job["postback_id"] == postback)

    def in_changelog(self, stage: str) -> tuple[int, int]:
        """How many states there are, and how many are deleted."""
        prefix = {"device": b"d", "user": b"u"}[stage]
        topic = changelog_topic(self.settings, stage)  # type: ignore[arg-type]
        newest = {one.key: one.value for one in read_topic(self.settings.bootstrap_servers, topic)}
        states = [value for key, value in newest.items() if key is not None and key.startswith(prefix)]
        return sum(value is not None for value in states), sum(value is None for value in states)

    def in_stores(self, stage: str) -> int:
        """How many states lie on disk; no worker runs."""
        found = 0
        for number in range(PARTITIONS):
            folder = self.settings.state_dir / self.settings.worker_id / stage / str(number)
            store = Store(folder, StoreMemory())
            store.open()
            found += sum(1 for _ in store.rows({"device": b"d", "user": b"u"}[stage]))
            store.close()
        return found


def counted(process: GuardedProcess, name: str, label: str) -> float:
    """The sum of a metric over all other labels."""
    lines = [line for line in probe(process, "/metrics")[1].splitlines() if line.startswith(f"ringback_{name}{{")]
    return sum(float(line.split()[-1]) for line in lines if label in line)


@pytest.mark.timeout(180)
def test_the_states_of_the_silent_are_deleted_also_over_a_kill_and_who_comes_back_is_new(
    make_settings: MakeSettings, start: Start, tmp_path: Path
) -> None:
    game = Game(make_settings, start, tmp_path / "config")
    game.apply("null")
    worker = game.worker()
    now = int(time.time() * 1000)
    silent = [f"silent-{number}" for number in range(SILENT)]
    active = [f"active-{number}" for number in range(ACTIVE)]
    game.install(silent, "1", now - 100 * DAY)
    game.install(active, "1", now)
    eventually(lambda: counted(worker, "records_total", f'source="{game.topics.users}"') == SILENT + ACTIVE, within=60)
    assert [game.in_changelog(stage) for stage in ("device", "user")] == [(SILENT + ACTIVE, 0)] * 2

    assert worker.end(30) == 0

    game.apply("30d")
    # The changelog has the first deletions, the store has not.
    killed = game.start("worker", with_settings=game.settings, **{VARIABLE: "device/committed:1"})
    assert killed.wait(60) == 128 + signal.SIGKILL, killed.output()
    assert game.in_changelog("device") == (SILENT + ACTIVE - AT_ONCE, AT_ONCE)
    assert game.in_stores("device") == SILENT + ACTIVE
    # The other stage goes through its rows at the same time: it may have deleted some before the kill.
    already = game.in_changelog("user")[1]
    worker = game.worker()
    eventually(lambda: counted(worker, FORGOTTEN, USER) == SILENT - already, within=60)
    eventually(lambda: counted(worker, FORGOTTEN, DEVICE) == SILENT - AT_ONCE, within=60)
    assert [game.in_changelog(stage) for stage in ("device", "user")] == [(ACTIVE, SILENT)] * 2

    later = int(time.time() * 1000)
    game.install([silent[0], active[0]], "2", later)
    eventually(lambda: len(game.jobs("user")) == SILENT + ACTIVE + 1, within=30, every=0.3)
    for postback in ("first", "user"):
        again = game.jobs(postback)
        assert [one for one in again if again.count(one) > 1] == [f"game|{silent[0]}"] * 2
    assert counted(worker, "state_rows", USER) > 0
    assert 'ringback_state_bytes{partition="0",stage="device"}' in probe(worker, "/metrics")[1]
    assert worker.end(30) == 0
    assert "Traceback" not in worker.output()
    assert [game.in_stores(stage) for stage in ("device", "user")] == [ACTIVE + 1, ACTIVE + 1]
