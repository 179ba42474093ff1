"""Where a torture run takes place: a name of its own for topics, groups and transactional ids, a temporary folder, and
with `--embedded` a broker. What it has made it takes away again.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka.admin import AdminClient

import streams
from schemas.config import Configuration
from streams import kafka, topics
from streams.broker import reach
from streams.config import apply, follow
from streams.demo.interrupts import Interrupts
from streams.errors import Stop
from streams.local.broker import EmbeddedBroker
from streams.local.guarded import GuardedProcess
from streams.settings import PREFIX, Settings, environment
from streams.torture import removal

HOST = "127.0.0.1"
REACH_SECONDS = 60.0
COMMAND_SECONDS = 300.0
#: So long (seconds) a process has to leave its group when it is told to end.
QUIT_SECONDS = 10.0
LOOK_SECONDS = 0.1
#: What of the user's settings holds for the workers too.
TAKEN = ("bootstrap_servers", "kafka_options", "replication", "compression", "partitions", "standbys")
#: Small batches: the same records in more checkpoints, so that there is more to be interrupted.
BATCH_RECORDS = 20


class Site:
    """Used by one thread. `end` must be called, whatever happened."""

    def __init__(self, settings: Settings, interrupts: Interrupts) -> None:
        self.name = f"torture-{secrets.token_hex(4)}"
        self.interrupts = interrupts
        self.broker: EmbeddedBroker | None = None
        #: There may be topics of this run on a broker that is not ours.
        self._made = False
        self.folder = Path(tempfile.mkdtemp(prefix="ringback-torture-"))
        self.logs = self.folder / "logs"
        self.logs.mkdir()
        self.received = self.logs / "received.txt"
        # Whatever else the shell or a file says is left aside: how many processes a worker is, say.
        taken = {name: getattr(settings, name) for name in TAKEN}
        self.settings = Settings.model_construct(
            **taken,
            topic_prefix=f"{self.name}.",
            worker_id=self.name,
            sender_group=f"{self.name}-sender",
            state_dir=self.folder / "state",
            metrics_host=HOST,
            metrics_port=0,
            sender_metrics_port=0,
            egress_allow=("127.0.0.0/8",),
            batch_records=BATCH_RECORDS,
            log_format="text",
        )

    @property
    def ours(self) -> str:
        """What the names of the input topics begin with: the topic prefix."""
        return self.settings.topic_prefix

    def start_broker(self) -> None:
        """Start a broker of our own. Blocks for seconds; raises a `LocalError`."""
        with self.interrupts.held():
            self.broker = EmbeddedBroker(self.folder / "kafka")
            self.broker.start()
        self.settings = self.settings.model_copy(
            update={"bootstrap_servers": self.broker.bootstrap, "kafka_options": {}, "replication": 1}
        )

    def make(self, text: str) -> Configuration:
        """Topics, and the configuration of this file; what is in force then. Blocks; raises `Stop`."""
        settings, folder = self.settings, self.folder / "config"
        admin = reach(settings, REACH_SECONDS)
        folder.mkdir()
        (folder / "torture.yaml").write_text(text, encoding="utf-8")
        sources = apply.load(settings, folder).sources
        plan = topics.plan(sources, settings.topic_prefix, {}, settings.partitions, settings.worker_id)
        self._made = True
        topics.create(admin, plan.create, settings.replication)
        apply.apply(settings, folder)
        deadline = time.monotonic() + REACH_SECONDS
        # A transaction that is committed shows a moment later.
        while (found := follow.read_current(settings)) is None:
            if time.monotonic() > deadline:
                raise Stop("the configuration that was written is not there", "does somebody delete topics?")
            self.pause(LOOK_SECONDS)
        return found

    def start(self, name: str, module: str, *arguments: str, state: Path | None = None, **more: str) -> GuardedProcess:
        """Start a Python module of ours; `state`: its state directory, `more`: variables."""
        settings = self.settings if state is None else self.settings.model_copy(update={"state_dir": state})
        command = [sys.executable, "-P", "-m", module, *arguments]
        return GuardedProcess(command, self.logs / f"{name}.log", self._environment(settings) | more)

    def _environment(self, settings: Settings) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        root = str(Path(streams.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        # No settings file of the current folder.
        file = self.folder / "ringback.yaml"
        file.touch()
        ours = {f"{PREFIX}CONFIG_FILE": str(file), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        return clean | environment(settings) | ours

    def pause(self, seconds: float) -> None:
        """Let so much time go by, or until somebody interrupts."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.interrupts.check()
            time.sleep(min(left, LOOK_SECONDS))

    def restart_broker(self, command: str, away: float, abrupt: bool) -> None:
        """The broker goes and comes back: our own, or that which `command` restarts. Blocks; raises `Stop`."""
        if self.broker is not None:
            if abrupt:
                self.broker.kill()
            else:
                self.broker.shut_down()
            self.pause(away)
            with self.interrupts.held():
                self.broker.start()
            return
        try:
            subprocess.run(command, shell=True, check=True, timeout=COMMAND_SECONDS, stdout=subprocess.DEVNULL)
        except (subprocess.SubprocessError, OSError) as error:
            raise Stop(f"--restart-broker failed: {error}", "run the command by hand, and look what it says") from error
        reach(self.settings, REACH_SECONDS)

    def quit(self, processes: Sequence[GuardedProcess]) -> None:
        """SIGTERM, so that they leave their groups; SIGKILL for those that are slow, or when somebody is in a hurry.
        Blocks for seconds. With a broker of our own, whose groups end with it, they are killed at once.
        """
        deadline = time.monotonic()
        if self.broker is None:
            deadline += QUIT_SECONDS
            for one in processes:
                one.terminate()
        while any(one.running for one in processes) and time.monotonic() < deadline and not self.interrupts.hurry:
            time.sleep(LOOK_SECONDS)
        for one in processes:
            one.kill()

    def end(self, keep: bool) -> list[str]:
        """Take away what was made; what could not be. Nothing is taken away with `keep`, but a broker of our own ends
        all the same. Blocks for seconds.
        """
        left: list[str] = []
        if self.broker is not None:
            self.broker.stop()
        elif self._made and not keep:
            settings = self.settings
            admin = AdminClient(kafka.admin_settings(settings, error_cb=lambda _error: None))
            groups = [settings.worker_id, settings.sender_group]
            left = removal.remove(admin, self.name, groups, lambda: self.interrupts.hurry)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
            left += [f"folder {self.folder}"] if self.folder.exists() else []
        return left
