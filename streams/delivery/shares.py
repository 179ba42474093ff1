"""Which part of a partner's limits this process may use, of all sender processes there are. Pure.

Processes tell each other what they take, in a topic of one partition: all read the same messages in the same order. A
process shrinks what it takes at once, before it says so. It grows only when it has read its own message back, and only
by what nobody had said to take up to there. Of any two, the one whose message lies further back in the topic has
counted the other: so the sum of what is used is never more than the limit, whatever each hears how late.

A message holds for its `lease` after it was said. Who is not heard for longer (by `LATE`) has stopped by itself before,
so its part is free. The exceptions, and what they cost, are in docs/limits.md.

`now` is the time since some moment on this machine, in milliseconds; times of different machines are never compared.
(`appended` is the broker's, compared with its own.)
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from schemas.config import Partner
from schemas.presence import Presence, Wish

from .needs import Need, Needs, Work

__all__ = ["Part", "Shares", "Work", "by_partitions"]

#: Something is said at least so often by few processes (ms). Of many each speaks as much more seldom, up to `SELDOM`:
#: all read what all say.
INTERVAL = 200
EACH = 25
SELDOM = 400
#: What changes is said no more often than that (ms).
LEAST_INTERVAL = 150
#: What was said and read back may be used for so much longer than until the next message is due (ms): Kafka may take
#: half a second for that one. Where it takes longer, twice as long as it takes, up to `LONGEST`.
ROUND_TRIP = 600
LONGEST = 1_500
#: Of what Kafka took for a message so much is reckoned with at the next one, at least.
FADES = 0.95
#: Who is not heard for so much longer than a lease is gone: by what a loop may be late (ms).
LATE = 250
#: By so much longer it keeps a slot that it had: its last request may still be under way.
LASTS = 1_400
#: Who has not looked for so long (ms) has stood still.
STANDSTILL = 500
#: How long (ms) nothing is used without an agreement, before it goes by partitions. Longer than any lease: when Kafka
#: is away for all, all have stopped by then, and their shares of the partitions are together the whole.
BLIND_FOR = 5_000
#: What a process keeps of the limit of a partner that it has no work for, as a part of its share: the first job need
#: not wait for an agreement.
FLOOR = 0.02
#: No more partners are listed; with more of them those that are not go by partitions.
LISTED = 500
#: After so many messages for each process it is another one's turn to have a slot that cannot be divided.
TURN = 40
#: A change of a part that is told at once, not with the next regular message.
NEWS = 0.01

State = Literal["agreed", "blind", "partitions"]


class Part(NamedTuple):
    """What may be used now: of `rate_limit` a part, of `max_in_flight` so many. Without slots nothing may be sent."""

    rate: float
    slots: int


def by_partitions(partner: Partner, share: float) -> Part:
    """The part of a process that knows of no other: by its share of the partitions."""
    return Part(share, max(1, _whole(partner, share)))


def pace(processes: int, round_trip: float = 0.0) -> tuple[int, int]:
    """How often one of so many processes speaks, and how long that holds (all in ms)."""
    interval = min(SELDOM, max(INTERVAL, EACH * processes))
    return interval, min(LONGEST, interval + max(ROUND_TRIP, int(2 * round_trip)))


def _whole(partner: Partner, share: float) -> int:
    return int(partner.max_in_flight * share + 1e-9)


class _Peer(NamedTuple):
    presence: Presence
    heard: int
    appended: int

    def gone(self, now: int, late: int) -> bool:
        """Whether its lease is over for so long, by the clock of `heard`."""
        return now - self.heard > self.presence.lease + late


class _Said(NamedTuple):
    presence: Presence
    at: int

    def holds(self, now: int) -> bool:
        return now - self.at <= self.presence.lease


class _Agreed(NamedTuple):
    """Our message that was read back, when it was said, and what the others had said before it: those that use what
    they say, and those that may have requests under way.
    """

    said: _Said
    others: Mapping[str, Presence]
    sending: Mapping[str, Presence]


class Shares:
    """What this process may use. `changed` is set when that may be other than before; whoever applies it clears it."""

    def __init__(self, process: str, now: int) -> None:
        self.process = process
        self.changed = False
        self._needs = Needs()
        self._share = 0.0
        self._peers: dict[str, _Peer] = {}
        self._said: deque[_Said] = deque(maxlen=200)
        self._number = 0
        self._agreed: _Agreed | None = None
        self._state: State = "blind"
        self._blind_since = now
        self._looked = now
        self._met = False
        self._offset = 0
        self._round_trip = 0.0
        #: Partners whose slot is another's next, once our request is over.
        self._handing_over: set[str] = set()

    # What is heard and seen.

    def hear(self, presence: Presence, offset: int, appended: int, now: int) -> None:
        """The next message of the topic, in its order: `appended` is the broker's time."""
        self._offset = offset
        if presence.process == self.process:
            self._hear_own(presence, appended, now)
            return
        known = self._peers.get(presence.process)
        # A producer's repetition may come behind what it said later.
        if known is None or presence.number > known.presence.number:
            self._peers[presence.process] = _Peer(presence, now, appended)

    def _hear_own(self, presence: Presence, appended: int, now: int) -> None:
        if not self._met:
            # What was there before us may be of processes that are long gone.
            self._met = True
            self._peers = {
                name: peer
                for name, peer in self._peers.items()
                if peer.appended > appended - (peer.presence.lease + LASTS)
            }
        while self._said and self._said[0].presence.number < presence.number:
            self._said.popleft()
        if self._said and self._said[0].presence.number == presence.number:
            self._agreed = _Agreed(self._said.popleft(), self._others(now, LATE), self._others(now, LASTS))
            self._round_trip = max(FADES * self._round_trip, now - self._agreed.said.at)
            self.changed = True
            self._judge(now)

    def look(self, now: int) -> None:
        """Time has passed. To be called every tenth of a second or so, before anything is used: after a longer pause
        others may have taken what was ours.
        """
        if now - self._looked > STANDSTILL:
            # To wait means to listen: what others took meanwhile is not heard yet.
            self._blind_since = now
            if self._state == "partitions":
                self._state, self.changed = "blind", True
        self._looked = now
        self._peers = {name: peer for name, peer in self._peers.items() if not peer.gone(now, LASTS)}
        self._judge(now)

    def watch(self, share: float, work: Iterable[Work], now: int) -> None:
        """What this process has to do, and its share of the partitions."""
        self._share = share
        self._needs.watch(share, work, now)

    def _judge(self, now: int) -> None:
        state = self._judged(now)
        if state == "blind" and self._state != "blind":
            self._blind_since = now
        if state != self._state:
            self._state, self.changed = state, True

    def _judged(self, now: int) -> State:
        # The others may have heard any of these last.
        if self._agreed is not None and all(one.holds(now) for one in (self._agreed.said, *self._said)):
            return "agreed"
        waited = self._state == "partitions" or (self._state == "blind" and now - self._blind_since > BLIND_FOR)
        return "partitions" if waited else "blind"

    def _others(self, now: int, late: int) -> dict[str, Presence]:
        return {
            name: peer.presence
            for name, peer in self._peers.items()
            if not peer.gone(now, late) and not peer.presence.leaving
        }

    # What may be used.

    def part(self, partner: Partner, share: float) -> Part:
        """What may be used of this partner's limits; `share`: our part of the partitions."""
        slots = self._slots(partner, share)
        if partner.rate_limit is None:
            return Part(1.0, slots)
        rate = self._rate(partner.id, share)
        return Part(rate, slots if rate > 0.0 else 0)

    def _rate(self, partner: str, share: float) -> float:
        if self._state == "partitions":
            return share
        if self._state == "blind" or self._agreed is None:
            return 0.0
        said = [self._agreed.said.presence, *(one.presence for one in self._said)]
        left = 1.0 - sum(_part(other, partner) for other in self._agreed.others.values())
        return max(0.0, min(left, *(_part(one, partner) for one in said)))

    def _slots(self, partner: Partner, share: float) -> int:
        whole = _whole(partner, share)
        if whole or self._state == "partitions":
            return max(1, whole)
        if self._state == "blind" or self._agreed is None or partner.id in self._handing_over:
            return 0
        said = [self._agreed.said.presence, *(one.presence for one in self._said)]
        others = self._agreed.sending.values()
        left = self._undivided(partner, others) - sum(_slots(other, partner.id) for other in others)
        return max(0, min(left, *(_slots(one, partner.id) for one in said)))

    def _undivided(self, partner: Partner, others: Iterable[Presence]) -> int:
        """How many slots are left when each process has the whole ones of its share."""
        return partner.max_in_flight - sum(
            _whole(partner, share) for share in (self._share, *(o.share for o in others))
        )

    # What is said.

    def say(self, now: int) -> Presence | None:
        """What is to be told the others now, if anything. What is used has shrunk to it already."""
        last = self._said[-1] if self._said else self._agreed.said if self._agreed else None
        if last is not None and now - last.at < LEAST_INTERVAL:
            return None
        wanted = self._wanted(now)
        interval, _ = pace(1 + len(self._others(now, LATE)))
        if last is not None and now - last.at < interval and not _is_news(last.presence, wanted):
            return None
        self._number += 1
        said = _Said(wanted, now)
        self._said.append(said)
        self.changed = True
        return wanted

    def leave(self) -> Presence:
        """The last message: nothing is used any more."""
        return Presence(process=self.process, number=self._number + 1, share=0.0, leaving=True)

    def _wanted(self, now: int) -> Presence:
        listed = {} if self._state == "partitions" else self._needs.listed(LISTED)
        rest = self._share if self._state == "partitions" or len(listed) < len(self._needs) else FLOOR * self._share
        others, sending = self._others(now, LATE), self._others(now, LASTS)
        wishes = {name: self._wish(name, need, others, sending) for name, need in listed.items()}
        number = self._number + 1
        unheard = now - self._said[0].at if self._said else 0
        _, lease = pace(1 + len(others), max(self._round_trip, unheard))
        return Presence(process=self.process, number=number, share=self._share, rest=rest, partners=wishes, lease=lease)

    def _wish(self, name: str, need: Need, others: Mapping[str, Presence], sending: Mapping[str, Presence]) -> Wish:
        """What is taken. Blind, that is nothing: who took too much would have the others give up what is theirs."""
        if self._state == "blind":
            return Wish(need.part, 0.0, int(need.work.in_flight > 0 and not _whole(need.work.partner, self._share)))
        target = _target(name, self._share, need.part, others.values())
        free = 1.0 - sum(_part(other, name) for other in others.values())
        part = max(0.0, min(target, max(free, self._rate(name, self._share))))
        return Wish(round(need.part, 4), int(part * 10_000) / 10_000, self._slots_taken(need.work, sending))

    def _slots_taken(self, work: Work, others: Mapping[str, Presence]) -> int:
        """One, where the slots are too few for all, while it is our turn; and as long as a request is under way."""
        partner = work.partner
        if _whole(partner, self._share):
            return 0
        undivided = self._undivided(partner, others.values())
        rivals = [
            one for one, other in others.items() if partner.id in other.partners and not _whole(partner, other.share)
        ]
        turn = self._offset // (TURN * (len(others) + 1))
        ranked = sorted([*rivals, self.process], key=lambda one: _rank(partner.id, one, turn))
        ours = ranked.index(self.process) < undivided
        free = undivided - sum(_slots(other, partner.id) for other in others.values())
        held = self._slots(partner, self._share)
        if ours:
            self._handing_over.discard(partner.id)
        elif work.in_flight:
            self._handing_over.add(partner.id)
        return int((ours and max(held, free) > 0) or work.in_flight > 0)


def _part(presence: Presence, partner: str) -> float:
    wish = presence.partners.get(partner)
    return presence.rest if wish is None else wish.part


def _slots(presence: Presence, partner: str) -> int:
    wish = presence.partners.get(partner)
    return 0 if wish is None else wish.slots


def _rank(partner: str, process: str, turn: int) -> bytes:
    return hashlib.blake2b(f"{partner}\0{process}\0{turn}".encode(), digest_size=8).digest()


def _target(partner: str, share: float, need: float, others: Iterable[Presence]) -> float:
    """What of the limit is ours when all agree: each has what it needs, up to its share among those that need more."""
    left, wanting = 1.0, [("", share, need)]
    for other in others:
        wish = other.partners.get(partner)
        if wish is None:
            left -= other.rest
        else:
            wanting.append((other.process, other.share, wish.need))
    return filled(wanting, max(0.0, left))[""]


def filled(wanting: Iterable[tuple[str, float, float]], left: float) -> dict[str, float]:
    """Divide `left` among `(name, weight, need)`: by weight, but to nobody more than its need while another lacks;
    what nobody needs is divided by weight too.
    """
    found: dict[str, float] = {}
    hungry = {name: (max(weight, 1e-6), need) for name, weight, need in wanting}
    weights = {name: weight for name, (weight, _) in hungry.items()}
    while hungry:
        whole = sum(weight for weight, _ in hungry.values())
        sated = {name: need for name, (weight, need) in hungry.items() if need <= left * weight / whole}
        if not sated:
            return found | {name: left * weight / whole for name, (weight, _) in hungry.items()}
        found |= sated
        left = max(0.0, left - sum(sated.values()))
        hungry = {name: one for name, one in hungry.items() if name not in sated}
    whole = sum(weights.values())
    return {name: part + left * weights[name] / whole for name, part in found.items()}


def _is_news(last: Presence, now: Presence) -> bool:
    if last.partners.keys() != now.partners.keys() or last.share != now.share or last.rest != now.rest:
        return True
    return any(
        abs(wish.part - last.partners[name].part) > NEWS
        or abs(wish.need - last.partners[name].need) > 10 * NEWS
        or wish.slots != last.partners[name].slots
        for name, wish in now.partners.items()
    )
