"""What each of several processes is told: the settings of all, with a state directory, a port and a name of its own.

Child numbers begin with 1 and are kept over restarts, and so is what follows from them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from streams.errors import USAGE, Stop
from streams.settings import Settings

KindName = Literal["worker", "sender"]

#: From the parent's port to the first child's, and from child to child. Not 1: the sender's default port is the
#: worker's plus one.
PORTS_APART = 10
LAST_PORT = 65_535


class Kind(NamedTuple):
    """A command that can be several processes: the settings that say how many, and the port of its probes."""

    processes: str
    port: str
    keeps_state: bool


KINDS: dict[KindName, Kind] = {
    "worker": Kind("worker_processes", "metrics_port", keeps_state=True),
    "sender": Kind("sender_processes", "sender_metrics_port", keeps_state=False),
}


def port_of(base: int, number: int) -> int:
    """The port of a child's probes; 0 (any that is free) stays 0."""
    return base + PORTS_APART * number if base else 0


def lookups_of(base: int, number: int) -> int:
    """The port of a child's look-ups: the parent has none, so the first has the one that commands ask."""
    return base + PORTS_APART * (number - 1) if base else 0


def share(settings: Settings, kind: KindName, number: int) -> Settings:
    """The settings of child `number`, which is not to have children itself."""
    row = KINDS[kind]
    own: dict[str, object] = {row.processes: 1, row.port: port_of(getattr(settings, row.port), number)}
    if row.keeps_state:
        own["state_dir"] = settings.state_dir / f"process-{number}"
        if settings.lookup_port:
            own["lookup_port"] = lookups_of(settings.lookup_port, number)
    if settings.instance_id:
        own["instance_id"] = f"{settings.instance_id}-{number}"
    return settings.model_copy(update=own)


def check(settings: Settings, kind: KindName, count: int) -> None:
    """Raises `Stop` when there are not enough ports, or all would tell of one address."""
    row = KINDS[kind]
    needed = {row.port: port_of(getattr(settings, row.port), count)}
    if row.keeps_state:
        needed["lookup_port"] = lookups_of(settings.lookup_port or 0, count)
    for name, last in needed.items():
        if last > LAST_PORT:
            raise Stop(
                f"{count} processes need ports up to {last} ({name} and {PORTS_APART} more for each): there is none",
                f"choose a smaller RINGBACK_{name.upper()}, or 0 for any that are free",
                USAGE,
            )
    if row.keeps_state and count > 1 and settings.lookup_url and "{port}" not in settings.lookup_url:
        raise Stop(
            f"{count} processes cannot all be reached under {settings.lookup_url}",
            "write RINGBACK_LOOKUP_URL with {port} in the place of the port",
            USAGE,
        )
