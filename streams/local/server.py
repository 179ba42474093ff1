"""The settings of the embedded broker: one node that is broker and controller, small, and quick to start."""

from __future__ import annotations

import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
NODE_ID = "1"

#: Ports come from below the ephemeral range. A client that keeps trying to reach a broker that is down, from a port
#: that the system picks, can otherwise connect to itself and hold the very port that the broker needs when it comes
#: back.
PORTS = range(15_000, 32_000)

#: Beside Kafka's defaults. Topics are made on purpose only; records keep for ever, since the demo and the tests use
#: real, old times; the internal topics are small; timers that a lone node needs not wait for are short.
SERVER: dict[str, str] = {
    "process.roles": "broker,controller",
    "node.id": NODE_ID,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "log.retention.ms": "-1",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
    "log.index.size.max.bytes": str(1 << 20),
    "num.network.threads": "2",
    "num.io.threads": "4",
    "broker.heartbeat.interval.ms": "250",
    "broker.session.timeout.ms": "2500",
}

#: A small heap, and a JVM that starts fast rather than one that peaks high.
JVM = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
)

LOG4J = """\
status = error
appender.file.type = Console
appender.file.name = console
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def properties(folder: Path, port: int, controller_port: int, extra: dict[str, str]) -> str:
    """The text of `server.properties` for a broker whose data lies in `folder`; `extra` wins over the table."""
    listeners = f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}"
    settings = SERVER | {
        "log.dirs": str(folder / "data"),
        "listeners": listeners,
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.quorum.voters": f"{NODE_ID}@{HOST}:{controller_port}",
    }
    return "".join(f"{name}={escaped(value)}\n" for name, value in (settings | extra).items())


def escaped(value: str) -> str:
    """A value as a properties file wants it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")


def free(port: int) -> bool:
    """Whether somebody could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of the loopback address that nobody listens on now."""
    return next(port for port in random.sample(PORTS, len(PORTS)) if free(port))


def listening(port: int) -> bool:
    """Whether somebody accepts connections on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0
