"""From a number that was measured to what it means. Pure: sizes in bytes, times in milliseconds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .findings import Finding, ok, warning, wrong

SECOND = 1_000
MIB = 1 << 20
GIB = 1 << 30

#: A difference of clocks shows as lateness and in receipts; a large one moves own times and due times.
CLOCK_WARNING = SECOND
CLOCK_WRONG = 30 * SECOND

#: RocksDB writes a file anew before it removes the old one, so it must never come to the last bytes.
SPACE_WARNING = 2 * GIB
SPACE_WRONG = 200 * MIB

#: What the store lets RocksDB keep open for a partition, and what a process needs beside that: sockets, above all.
FILES_PER_PARTITION = 256
FILES_BESIDE = 256

#: Versions this program is made for, as in pyproject.toml (a test compares): `==` since the worker overrides parts of
#: these that are not their public interface.
REQUIRED = {
    "faust-streaming": "==0.15.3",
    "aiokafka": "==0.14.0",
    "confluent-kafka": ">=2.14",
    "rocksdict": ">=0.3.28",
}


def clock(before: int, stamped: int, after: int) -> Finding:
    """Our clock read before and after the broker stamped a record: its stamp should lie between."""
    off = min(0, stamped - before) or max(0, stamped - after)
    if not off:
        return ok(f"differs from the broker's by less than {max(1, after - before):,} ms")
    side = "behind" if off > 0 else "ahead of"
    seconds = abs(off) / SECOND
    found = f"this machine's clock is {seconds:,.1f} s {side} the broker's"
    if abs(off) > CLOCK_WRONG:
        return wrong(found)
    return warning(found) if abs(off) > CLOCK_WARNING else ok(found)


def space(path: str, free: int) -> Finding:
    """Free bytes where the state lies."""
    found = f"{free / GIB:,.1f} GiB free in {path}"
    if free < SPACE_WRONG:
        return wrong(found, "make room, or choose another disk with RINGBACK_STATE_DIR")
    if free < SPACE_WARNING:
        return warning(found, "make room before the state grows, or choose another disk with RINGBACK_STATE_DIR")
    return ok(found)


def open_files(limit: int, partitions: int) -> Finding:
    """The limit of file descriptors, for a worker that has all partitions to itself."""
    needed = FILES_BESIDE + FILES_PER_PARTITION * partitions
    found = f"{limit:,} files may be open"
    remedy = f"raise it where the processes are started: `ulimit -n {max(needed, 65_536)}`, LimitNOFILE= in systemd"
    if limit < FILES_BESIDE:
        return wrong(f"{found}; a process needs more than {FILES_BESIDE}", remedy)
    if limit < needed:
        return warning(f"{found}; a worker with all {partitions} partitions may come to need {needed:,}", remedy)
    return ok(found)


def group(role: str, name: str, state: str, members: int, lag: int | None) -> Finding:
    """A consumer group: how many processes are in it, and how many records it has not read. `lag` None: unknown.

    A large lag counts offsets, and the ends of transactions have some too, so that it is no exact number.
    """
    behind = "" if lag is None else f", at most {lag:,} records to read" if lag else ", nothing to read"
    if not members:
        return warning(f"{role} group {name}: no process is in it{behind}", f"start one: `ringback {role}`")
    # Kafka's names: PreparingRebalance.
    passing = "" if state == "Stable" else f" ({re.sub('(?<!^)(?=[A-Z])', ' ', state).lower()})"
    return ok(f"{role} group {name}: {members} process{'es' if members > 1 else ''}{passing}{behind}")


def untold_group(role: str, name: str, why: str) -> Finding:
    """A consumer group that may not be looked at: whether a process is in it is not known."""
    return warning(f"{role} group {name}: cannot be told: {why}", "if Kafka has access rules: allow Describe on groups")


def python(version: tuple[int, int, int]) -> Finding:
    """The interpreter's version."""
    text = ".".join(map(str, version))
    if version < (3, 11, 0):
        return wrong(f"Python {text}", "make the environment with Python 3.11 or newer")
    return ok(f"Python {text}")


def package(name: str, version: str | None, required: str) -> Finding:
    """An installed package's version; `required` is `==…` or `>=…`."""
    sign, wanted = required[:2], required[2:]
    remedy = f"pip install '{name}{required}'"
    if version is None:
        return wrong(f"{name} is not installed, expected {required}", remedy)
    fits = version == wanted if sign == "==" else _numbers(version) >= _numbers(wanted)
    return ok(f"{name} {version}") if fits else wrong(f"{name} {version}, expected {required}", remedy)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.split("+")[0])[:4])


def owners(owners_of: Mapping[str, list[str]], ours: str = "ringback") -> list[Finding]:
    """Distributions that put files into a package of ours: whichever was installed last has won."""
    return [
        wrong(f"{', '.join(others)} also brings a package named `{package}`", f"pip uninstall {' '.join(others)}")
        for package in ("schemas", "streams")
        if (others := sorted({name for name in owners_of.get(package, ()) if name.lower() != ours}))
    ]
