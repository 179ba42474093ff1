"""The containers of the compose file as plain processes: the exact commands and environments, with host names, ports
and folders of this machine in the place of the containers'.

The broker is set up by the class of Kafka itself that the image `apache/kafka` uses to turn its environment into
settings, which lies in the same jar as the broker.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.local import jars, java, server
from streams.local.guarded import GuardedProcess
from tests.support import compose, dockerfile
from tests.support.waiting import eventually

SETUP = "kafka.docker.KafkaDockerWrapper"
#: What the image has beside its own default settings; without it, it sets nothing up.
LOG4J = "Configuration:\n  Loggers:\n    Root:\n      level: INFO\n"
PORTS = ("19092", "9092", "9093", "9464", "9465", "8000")
SETUP_SECONDS = 60.0


class Stack:
    """The services, and where on this machine they lie. `folder` must exist and be empty."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: dict[str, compose.Service] = compose.load()["services"]
        self.processes: dict[str, GuardedProcess] = {}
        self.ports: dict[str, str] = {}
        for port in PORTS:
            free = (str(server.free_port()) for _ in range(1000))
            self.ports[port] = next(each for each in free if each not in self.ports.values())
        self._image = dockerfile.read()[-1]
        for name in ("bin", "home", "kafka-data", "state", "config", "defaults", "mounted", "settings"):
            (folder / name).mkdir()
        for name in ("log4j2.yaml", "tools-log4j2.yaml", "server.properties"):
            (folder / "defaults" / name).write_text(LOG4J if name.endswith("yaml") else "")
        (folder / "bin" / "ringback").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m streams.cli.main "$@"\n')
        (folder / "bin" / "ringback").chmod(0o755)
        self._places = {
            "/var/lib/kafka/data": folder / "kafka-data",
            "/var/lib/ringback": folder / "state",
            "/etc/ringback/config": folder / "config",
            "/examples": compose.ROOT / "deploy" / "examples",
        }
        ((source, _, _),) = compose.mounts(self.services["apply"])
        for path in (compose.ROOT / source).iterdir():
            (folder / "config" / path.name).write_text(self.here(path.read_text()))

    def here(self, text: str) -> str:
        """What a text of the compose file is on this machine."""
        for inside, outside in self._places.items():
            text = text.replace(inside, str(outside))
        text = re.sub(r"\b172\.31\.254\.0/24\b", "127.0.0.0/8", text)
        text = re.sub(r"\b(kafka|partner)(?=:\d)", server.HOST, text)
        text = re.sub(r"\b0\.0\.0\.0\b", server.HOST, text)
        return re.sub(rf"\b({'|'.join(PORTS)})\b", lambda found: self.ports[found[1]], text)

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service: that of the image and its own, and what a process needs to be found."""
        paths = [str(self.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
        bare = {"PATH": ":".join(paths), "HOME": str(self.folder / "home"), "PYTHONPATH": str(compose.ROOT)}
        image = self._image.last("ENV").pairs if self.services[name]["image"].startswith("ringback:") else {}
        own = self.services[name].get("environment", {})
        given = {key: self.here(value) for key, value in (image | own).items() if key != "PATH"}
        return bare | given

    def words(self, name: str, *instead: str) -> list[str]:
        """The command line of a service; `instead` of its own command, as `docker compose run` has it."""
        service = self.services[name]
        entry = service.get("entrypoint", self._image.last("ENTRYPOINT").words)
        return [self.here(word) for word in [*entry, *(instead or service["command"])]]

    def start(self, name: str, *instead: str) -> GuardedProcess:
        """Start a service of ours."""
        command = ["sh", "-c", 'cd "$0" && exec "$@"', str(self.folder / "home"), *self.words(name, *instead)]
        process = GuardedProcess(command, self.folder / f"{name}.log", self.environment(name))
        self.processes[name] = process
        return process

    def run(self, name: str, *instead: str) -> str:
        """Run a service to its end, which must be a good one; what it said."""
        process = self.start(name, *instead)
        assert process.wait(SETUP_SECONDS) == 0, process.output()
        return process.output()

    def healthy(self, name: str) -> bool:
        """What the health check of a service says now."""
        words = [self.here(word) for word in compose.health_command(self.services[name])]
        within = compose.seconds(self.services[name]["healthcheck"]["timeout"])
        command = ["env", *words]
        return subprocess.run(command, env=self.environment(name), capture_output=True, timeout=within).returncode == 0

    def wait_healthy(self, name: str, within: float) -> None:
        """Until the health check is content; an AssertionError with the end of the log when the service has ended."""

        def ready() -> bool:
            process = self.processes[name]
            if not process.running:
                raise RuntimeError(f"{name} has ended with {process.exit_code}:\n{process.log_tail()}")
            return self.healthy(name)

        eventually(ready, within=within, every=0.2, what=f"{name} is healthy")

    def start_broker(self) -> None:
        """Set up and start the broker, as the image does at its start."""
        environment = self.environment("kafka") | {"CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw"}
        machine = [str(java.find_java()), *environment["KAFKA_HEAP_OPTS"].split()]
        machine += ["-XX:TieredStopAtLevel=1", "-cp", ":".join(str(path) for path in jars.jars())]
        folders = {"default-configs-dir": "defaults", "mounted-configs-dir": "mounted", "final-configs-dir": "settings"}
        options = [word for name, place in folders.items() for word in (f"--{name}", str(self.folder / place))]
        setup = [*machine, SETUP, "setup", *options]
        done = subprocess.run(setup, env=environment, capture_output=True, text=True, timeout=SETUP_SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
        log4j = f"-Dlog4j2.configurationFile={self.folder / 'settings' / 'log4j2.yaml'}"
        command = [*machine[:-2], log4j, *machine[-2:], "kafka.Kafka", str(self.folder / "settings/server.properties")]
        self.processes["kafka"] = GuardedProcess(command, self.folder / "kafka.log", environment)

    def stop(self, name: str) -> int:
        """SIGTERM, as `docker compose stop` sends it; its exit status, which must come within the time it has."""
        process = self.processes[name]
        process.terminate()
        return process.wait(compose.seconds(self.services[name].get("stop_grace_period", "10s")))


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """A stack of which nothing is left at the end."""
    folder.mkdir()
    made = Stack(folder)
    try:
        yield made
    finally:
        for process in made.processes.values():
            process.kill()
