"""The account of a torture run: what was done to the workers, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.torture.verdict import Deliveries, Verdict


class Event(msgspec.Struct):
    """An incident: seconds since the beginning, what it was, and how many records waited then."""

    at: float
    what: str
    waiting: int


class Recovery(msgspec.Struct):
    """Seconds from a worker's start until it was ready; `count` of them."""

    count: int = 0
    p50: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class Ledger(msgspec.Struct, kw_only=True):
    """`kills` by the step at which the worker died, or `outside`; `ended_by_itself` by exit status: workers that ended
    without having been killed (a zombie does, with 71) and were started again. `steps_missed`: fault points that no
    worker came to. `waiting_least`: the fewest records that waited at any incident.
    """

    version: str
    seed: int
    workers: int
    partitions: int
    seconds: float = 0.0
    records: int = 0
    jobs: int = 0
    states: int = 0
    kills: dict[str, int] = {}
    wiped: int = 0
    zombies: int = 0
    rebalances: int = 0
    broker_restarts: int = 0
    standstills: int = 0
    left_out: list[str] = []
    ended_by_itself: dict[str, int] = {}
    steps_missed: list[str] = []
    stuck: list[str] = []
    restart_loops: list[str] = []
    recovery: Recovery = msgspec.field(default_factory=Recovery)
    waiting_least: int = 0
    verdict: Verdict | None = None
    deliveries: Deliveries | None = None
    events: list[Event] = []

    @property
    def passed(self) -> bool:
        """Nothing was lost, nothing came twice, all states are equal, and nobody hung."""
        if self.verdict is None or not self.verdict.equal or self.stuck or self.restart_loops:
            return False
        delivered = self.deliveries
        # A sender that stood still may have lost its partitions, and then repeats what was under way.
        return delivered is None or not (delivered.never or delivered.unknown)

    @property
    def said(self) -> str:
        """The verdict in words."""
        return "PASSED: nothing lost, nothing twice, all states equal" if self.passed else "FAILED"

    def encoded(self) -> bytes:
        """As JSON, for programs; `passed` stands in it."""
        return encoded(self)

    def rows(self) -> list[tuple[str, str]]:
        """What the table shows: names and values."""
        kills = sum(self.kills.values())
        steps = {place: number for place, number in self.kills.items() if place != "outside"}
        rows = [
            ("seed", str(self.seed)),
            ("time", f"{self.seconds:,.0f} s"),
            ("workers, partitions", f"{self.workers}, {self.partitions}"),
            ("records", f"{self.records:,}"),
            ("jobs", f"{self.jobs:,}"),
            ("rows of state", f"{self.states:,}"),
            ("records waiting at an incident", f"at least {self.waiting_least:,}"),
            ("kills", f"{kills}, of these {sum(steps.values())} at {len(steps)} steps of the checkpoint"),
            *((f"  {place}", str(number)) for place, number in sorted(self.kills.items())),
            ("wiped state directories", str(self.wiped)),
            ("zombies", str(self.zombies)),
            ("rebalances", str(self.rebalances)),
            ("broker restarts", str(self.broker_restarts)),
            ("standstills", str(self.standstills)),
            ("left out", "; ".join(self.left_out) or "nothing"),
            ("ended by itself", _by(self.ended_by_itself) or "never"),
            ("steps never reached", "; ".join(self.steps_missed) or "none"),
            (
                "start to ready",
                f"p50 {self.recovery.p50:.1f} s, p99 {self.recovery.p99:.1f} s, max {self.recovery.max:.1f} s "
                f"({self.recovery.count} starts)",
            ),
            ("stuck", "; ".join(self.stuck) or "none"),
            ("restart loops", "; ".join(self.restart_loops) or "none"),
        ]
        return rows + self._found()

    def _found(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        if (one := self.verdict) is not None:
            found += [
                ("jobs lost", f"{one.lost:,}"),
                ("jobs twice", f"{one.twice:,}"),
                ("jobs unexpected, different", f"{one.strange:,}, {one.different:,}"),
                ("states different", f"{one.states:,}"),
                ("report rows different", f"{one.reports:,}"),
                ("user records, dead letters different", f"{one.told:,}, {one.letters:,}"),
                ("partitions not read or told to the end", f"{one.undone:,}"),
            ]
        if (came := self.deliveries) is not None:
            found.append(
                (
                    "partner",
                    f"{came.received:,} requests: {came.never:,} jobs never came, {came.repeated:,} repeated, "
                    f"{came.unknown:,} unknown",
                )
            )
        return found


def _by(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} × status {status}" for status, number in sorted(counts.items()))


def encoded(ledger: Ledger) -> bytes:
    """The ledger as JSON, for programs; `passed` stands in it."""
    named = {"verdict": ledger.verdict, "deliveries": ledger.deliveries}
    found = {name: one._asdict() if one is not None else None for name, one in named.items()}
    whole = {**msgspec.to_builtins(ledger), **found, "passed": ledger.passed}
    return msgspec.json.format(msgspec.json.encode(whole)) + b"\n"


def recovery(seconds: Sequence[float]) -> Recovery:
    """The distribution of some times: nearest ranks."""
    if not seconds:
        return Recovery()
    ranked = sorted(seconds)
    count = len(ranked)

    def rank(percent: int) -> float:
        return ranked[max(0, -(-count * percent // 100) - 1)]

    return Recovery(count, round(rank(50), 2), round(rank(99), 2), round(ranked[-1], 2))
