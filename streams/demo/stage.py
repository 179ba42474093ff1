"""Where a demo plays: a temporary folder, a broker and processes of ours, all of which are gone at its end."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import streams
from streams.demo.interrupts import Interrupts
from streams.errors import Stop
from streams.local import broker, jars, probing, server
from streams.local.broker import EmbeddedBroker
from streams.local.errors import StartFailed
from streams.local.guarded import GuardedProcess
from streams.settings import PREFIX, Settings, environment

TOPIC_PREFIX = "demo."
PARTITIONS = 2

#: Who is ended after whom: nobody loses the one that it talks to while it says its last word.
ENDING = ("jars", "sender", "worker", "partner", "broker")
#: How long (seconds) a process may take to end in order, and how often it is looked at.
END_SECONDS = 8.0
LOOK_SECONDS = 0.05
#: What our processes may take to finish what is under way.
GRACE = "5s"
START_SECONDS = 60.0
SCRAPE_SECONDS = 5.0

ADDRESS = re.compile(r"http://[^/\s]+")
#: What a process says when its probes are served, and the partner when it listens.
TELLS = {"worker": "probes: http", "sender": "probes: http", "partner": "http://"}

REMEDY = "Start the demo again. If it ends so again, these lines are what a bug report needs."


class PortTaken(StartFailed):
    """Somebody has taken the broker's port since it was found free."""


class Stage:
    """Used by one thread. `end` must be called, whatever happened; nothing can be started after it."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._processes: dict[str, GuardedProcess] = {}
        self._addresses: dict[str, str] = {}
        self._broker: EmbeddedBroker | None = None
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="ringback-demo-"))
        except OSError as error:
            raise Stop(f"no temporary folder can be made: {error}", "point TMPDIR to a folder with space") from error
        self.settings = self._settings(server.free_port())
        self._environment: dict[str, str] = {}

    @property
    def logs(self) -> Path:
        """The folder of the processes' logs."""
        return self.folder / "logs"

    @property
    def broker_folder(self) -> Path:
        """The folder of the broker's configuration, data and log."""
        return self.folder / "kafka"

    @property
    def configuration(self) -> Path:
        """The folder of the configuration files."""
        return self.folder / "config"

    @property
    def settings_file(self) -> Path:
        """The settings of the demo's processes as a file, for other commands."""
        return self.folder / "ringback.yaml"

    @property
    def received(self) -> Path:
        """Where the partner writes a line for each request."""
        return self.logs / "received.txt"

    def _settings(self, port: int) -> Settings:
        """Everything that the processes are told. The caller has taken the shell's own settings away."""
        return Settings(
            bootstrap_servers=f"{server.HOST}:{port}",
            topic_prefix=TOPIC_PREFIX,
            worker_id="demo-worker",
            sender_group="demo-sender",
            state_dir=self.folder / "state",
            metrics_host=server.HOST,
            metrics_port=0,
            sender_metrics_port=0,
            egress_allow="127.0.0.0/8",
            partitions=PARTITIONS,
            grace=GRACE,
            log_format="text",
        )

    # -- starting

    def set_up(self) -> None:
        """Put into the folder what every process needs."""
        given = environment(self.settings)
        self.settings_file.write_text(
            "".join(f"{name[len(PREFIX) :].lower()}: {json.dumps(value)}\n" for name, value in given.items())
        )
        self._environment = self._environment_of_children(given)
        for folder in (self.logs, self.broker_folder):
            folder.mkdir()

    def fetch_jars(self) -> None:
        """Download what the broker still lacks. Blocks; raises a `LocalError`. In a process of its own, which can be
        ended at any moment.
        """
        self.start("jars", "streams.local.jars", "--fetch")
        fetching = self._processes["jars"]
        while fetching.running:
            self._interrupts.check()
            time.sleep(LOOK_SECONDS)
        with self._interrupts.held():
            del self._processes["jars"]
        if fetching.exit_code:
            message, _, remedy = fetching.output().strip().partition("\n")
            raise StartFailed(message or "The broker's jars could not be fetched.", remedy or jars.REMEDY)

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start a Python module of ours as the process `name`."""
        command = [sys.executable, "-P", "-m", module, *arguments]
        with self._interrupts.held():
            self._processes[name] = GuardedProcess(command, self.logs / f"{name}.log", self._environment)

    def start_broker(self) -> None:
        """Start the broker at the address that the settings name. Blocks for seconds; raises a `LocalError`."""
        port = int(self.settings.bootstrap_servers.rpartition(":")[2])
        self._broker = EmbeddedBroker(self.broker_folder, port=port)
        try:
            self._broker.start()
        except StartFailed as error:
            if "BindException" in error.message or "in use" in error.message:
                raise PortTaken(error.message, error.remedy) from error
            raise

    def _environment_of_children(self, given: dict[str, str]) -> dict[str, str]:
        """What our processes see: the demo's settings, no file of the current folder, and this very package."""
        root = str(Path(streams.__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        ours = {f"{PREFIX}CONFIG_FILE": str(self.settings_file), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **given, **ours}

    # -- looking

    def check(self) -> None:
        """Raises `Stop` when a process has ended by itself, and `Interrupted` when somebody has asked for the end."""
        self._interrupts.check()
        for name, process in self._running().items():
            if not process.running:
                raise Stop(
                    f"the {name} has ended by itself (exit status {process.exit_code}). The end of its log:\n"
                    f"{process.log_tail()}",
                    broker.REMEDY if name == "broker" else REMEDY,
                )

    def address(self, name: str) -> str:
        """Where a process listens, `http://host:port`. Blocks until it says so; raises `Stop`."""
        deadline = time.monotonic() + START_SECONDS
        while name not in self._addresses:
            self.check()
            told = (line for line in self._processes[name].output().splitlines(keepends=True) if TELLS[name] in line)
            if (line := next(told, "")).endswith("\n") and (found := ADDRESS.search(line)):
                self._addresses[name] = found[0]
            elif time.monotonic() > deadline:
                raise Stop(
                    f"the {name} has not begun to listen within {START_SECONDS:.0f} s. The end of its log:\n"
                    f"{self._processes[name].log_tail()}",
                    REMEDY,
                )
            else:
                time.sleep(LOOK_SECONDS)
        return self._addresses[name]

    def ask(self, name: str, path: str) -> tuple[int, str]:
        """Status and text of what a process answers at `path`; 0 when it does not answer now."""
        self.check()
        return probing.ask(self.address(name), path, SCRAPE_SECONDS)

    def wait_ready(self, name: str) -> None:
        """Until a process says that it is ready. Blocks; raises `Stop`."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            status, text = self.ask(name, "/readyz")
            if status == 200:
                return
            if time.monotonic() > deadline:
                raise Stop(f"the {name} is not ready after {START_SECONDS:.0f} s: {text or 'no answer'}", REMEDY)
            time.sleep(LOOK_SECONDS)

    def _running(self) -> dict[str, GuardedProcess]:
        found = dict(self._processes)
        if self._broker and self._broker.process:
            found["broker"] = self._broker.process
        return found

    # -- ending

    def end(self) -> None:
        """End every process, one after the other, and remove the folder. Blocks for a few seconds; whoever asks again
        has them killed. Only when nothing is raised by signals any more.
        """
        running = self._running()
        for name in ENDING:
            if name in running:
                self._end(running[name])
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, process: GuardedProcess) -> None:
        process.terminate()
        deadline = time.monotonic() + END_SECONDS
        while process.running and time.monotonic() < deadline and not self._interrupts.hurry:
            time.sleep(LOOK_SECONDS)
        process.kill()
