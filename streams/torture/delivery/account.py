"""The account of a run: what was done to the senders, and what came of the jobs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streams.torture.delivery.judging import Judgement, Repeats, Span
from streams.torture.delivery.partners import LIMIT
from streams.torture.ledger import Ledger

#: So far the limited partner may be over its limit in ten seconds: a sender that has just begun does not know what was
#: sent before it.
OVER = 0.1
#: So many requests more, and such a part more, than were counted may be repeated where any may be: a batch is gathered
#: in one thread and begun in another, and on a busy machine what ends in between is not counted.
MORE, PART_MORE = 20, 0.1


class Account(Ledger, kw_only=True):
    """See `Ledger`; `workers` are the senders, `records` the requests. `mishaps`: what senders told of places that they
    lost without having been killed.
    """

    judgement: Judgement | None = None
    spans: list[Span] = msgspec.field(default_factory=list)
    mishaps: list[str] = msgspec.field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Nothing lost, nothing twice, nothing early, and no more repeated than may be."""
        found = self.judgement
        if found is None or found.faults or self.stuck or self.restart_loops:
            return False
        return not self.over and found.rates[10_000] <= (1 + OVER) * LIMIT * 10

    @property
    def said(self) -> str:
        """See `Ledger`."""
        return "PASSED: nothing lost, nothing ended twice, repeats within bounds" if self.passed else "FAILED"

    def encoded(self) -> bytes:
        """See `Ledger`."""
        return encoded(self)

    @property
    def over(self) -> list[Repeats]:
        """Where more was repeated than may be. Where nothing may be, a sender must tell why."""
        repeats = self.judgement.repeats if self.judgement else ()
        return [one for one in repeats if one.seen > _bound(one) and (one.allowed or not self.mishaps)]

    def rows(self) -> list[tuple[str, str]]:
        """See `Ledger`."""
        rows = [
            ("seed", str(self.seed)),
            ("time", f"{self.seconds:,.0f} s"),
            ("senders, partitions", f"{self.workers}, {self.partitions}"),
            ("jobs", f"{self.jobs:,}"),
            ("requests", f"{self.records:,}"),
            ("kills", f"{sum(self.kills.values())}"),
            *((f"  {place}", str(number)) for place, number in sorted(self.kills.items())),
            ("rebalances", str(self.rebalances)),
            ("broker restarts", str(self.broker_restarts)),
            ("left out", "; ".join(self.left_out) or "nothing"),
            ("ended by itself", ", ".join(f"{n} × status {s}" for s, n in self.ended_by_itself.items()) or "never"),
            ("steps never reached", "; ".join(self.steps_missed) or "none"),
            (
                "start to ready",
                f"p50 {self.recovery.p50:.1f} s, p99 {self.recovery.p99:.1f} s, max {self.recovery.max:.1f} s "
                f"({self.recovery.count} starts)",
            ),
            ("lost their place unasked", "; ".join(self.mishaps[:3]) or "never"),
            ("stuck", "; ".join(self.stuck) or "none"),
            ("restart loops", "; ".join(self.restart_loops) or "none"),
        ]
        return rows + ([] if self.judgement is None else _found(self.judgement))


def _found(one: Judgement) -> list[tuple[str, str]]:
    at_incidents = [repeats for repeats in one.repeats if repeats.what and (repeats.seen or repeats.allowed)]
    elsewhere = next(repeats.seen for repeats in one.repeats if not repeats.what)
    seen, allowed = sum(r.seen for r in at_incidents), sum(r.allowed for r in at_incidents)
    rows = [
        ("jobs lost", f"{one.lost:,}"),
        ("jobs ended twice", f"{one.twice:,}"),
        ("jobs that nobody decided", f"{one.unknown:,}"),
        ("chains with a fork or a gap", f"{one.chains:,}"),
        ("dead letters wrong", f"{one.letters:,}"),
        ("said to be delivered, and not received", f"{one.claimed:,}"),
        ("sent early", f"{one.early:,}"),
        ("report and receipts differ", f"{one.miscounted:,}"),
        ("requests repeated: seen / allowed", f"{seen:,} / {allowed:,}"),
        *((f"  {repeats.what}", _repeated(repeats)) for repeats in at_incidents),
        ("  at no incident", f"{elsewhere:,} / 0"),
    ]
    rows += [
        (
            f"most to the partner limited to {LIMIT}/s, in {window // 1_000} s",
            f"{most} ({100 * most * 1_000 / (LIMIT * window) - 100:+.0f} %)",
        )
        for window, most in one.rates.items()
    ]
    return rows + [(f"  {partner}", _by(ends)) for partner, ends in sorted(one.ends.items())]


def _bound(one: Repeats) -> float:
    return one.allowed * (1 + PART_MORE) + MORE if one.allowed else 0


def _repeated(one: Repeats) -> str:
    waited = f"; the oldest outcome had waited {one.waited} ms for its commit" if one.waited else ""
    return f"{one.seen:,} / {one.allowed:,}{waited}"


def _by(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(counts.items()))


def encoded(account: Account) -> bytes:
    """The account as JSON, for programs; `passed` stands in it."""
    left_out = ("verdict", "deliveries", "states", "wiped", "zombies", "standstills", "waiting_least", "judgement")
    plain = msgspec.to_builtins(msgspec.structs.replace(account, judgement=None))
    found = None if account.judgement is None else _plain(account.judgement)
    whole = {name: one for name, one in plain.items() if name not in left_out}
    return msgspec.json.format(msgspec.json.encode(whole | {"judgement": found, "passed": account.passed})) + b"\n"


def _plain(one: Judgement) -> dict[str, object]:
    named: Sequence[dict[str, object]] = [repeats._asdict() for repeats in one.repeats]
    return {**one._asdict(), "repeats": named, "rates": {str(window): most for window, most in one.rates.items()}}
