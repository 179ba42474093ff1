"""Transactions that Kafka has noted as complete, and has not ended in some of their partitions: found, and ended.

A broker that shuts down may note a transaction as complete without having written the ends of it into partitions which
have no leader in that moment. Its records then hang: they hide what follows from read-committed readers, until another
end of the same producer's is written into that partition. That one is theirs too, commit or abort.

*How they end* is decided once for all partitions, whoever asks: a transaction is committed when a changelog, of any
partition that was part of it, has something of it that committed readers see. A producer is told of a commit before
the ends are written, so where the end of it is to be seen in one partition all others must have the same. When the
changelogs have only what committed readers do not see, what hangs is rolled back: for the readers of changelogs it has
not happened, its inputs are read again, and to commit it instead would make true what may have been aborted, and
written anew, before. When they have nothing of it at all, it was given up before they were written to, or they have
been compacted since. What began minutes ago can only be the former, and is rolled back; what is older is left to
somebody who looks.

*By what means.* To roll back, the same producer begins another transaction, writes to those partitions, and aborts:
together, by one decision of the coordinator's. To commit in that way would not do, since the next process that takes
over from the same one fences that transaction off, and thereby aborts it, and with it what hangs. So the missing end is
written itself, into each partition, as `kafka-transactions.sh abort` does: that is done once or often, by one or many,
and comes to the same. It wants the right Alter on the cluster. Without it what hangs is left, and the log says so.

*What remains.* A transaction that no changelog has, but another topic has, is rolled back where it hangs, and applied
again: jobs are then sent twice, with the same id. When the producer has written to a partition in which something
hangs, before anybody has found out, the end of that transaction is the end of both.

All functions block, and wait for brokers that are away until `stopped()`; then they raise KafkaException.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Literal, NamedTuple, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, Message, TopicPartition

from streams.engine import asking, changelog, fate, markers, tokens
from streams.engine.fate import Lying, Stopped, never
from streams.engine.markers import Input, Open
from streams.engine.tokens import Token
from streams.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

#: It is tried so often to end what hangs.
TRIES = 5
#: Records that come within so long (seconds) are taken in together.
READ_S = 0.05
#: Records of one transaction were mostly appended, by the clocks of brokers and workers, within so long (ms).
SKEW_MS = 120_000
#: What began no longer ago (ms) has left something in a changelog, if it has written there: all of it cannot have been
#: written over, and compacted, so soon.
FRESH_MS = 300_000

#: What is known of a transaction, by the changelogs.
Verdict = Literal["committed", "undone", "unknown"]


class Hung(NamedTuple):
    """What hangs in a partition: `open` since it began there at `appended` (ms)."""

    place: Input
    open: Open
    token: Token
    appended: int


class Looked(NamedTuple):
    """What was found to hang, and the partitions in which something does, of whom we may not see."""

    hung: list[Hung]
    unseen: frozenset[Input] = frozenset()


class Verdicts:
    """What a process has found out, once for all of its partitions. Safe to use from several threads."""

    def __init__(self) -> None:
        self._known: dict[Token, Verdict] = {}
        self._asking = threading.Lock()

    def of(self, settings: Settings, token: Token, those: Collection[Hung], stopped: Stopped) -> Verdict:
        """Of the transaction of which `those` hang."""
        with self._asking:
            if (known := self._known.get(token)) is None:
                known = _verdict(settings, token, those, stopped)
                if known != "unknown":
                    self._known[token] = known
            return known


class Settled(NamedTuple):
    """What came of ending what hung: the partitions in which something was rolled back, and those in which something
    hangs still, or may.
    """

    rolled_back: frozenset[Input] = frozenset()
    left: frozenset[Input] = frozenset()


#: Rolls back what hangs under a transactional id in these partitions. Raises `Fenced`, KafkaException.
ThrowAway = Callable[[str, Collection[Input]], None]


def settle(
    settings: Settings,
    who: str,
    places: Collection[Input],
    ids: Collection[str],
    throw_away: ThrowAway,
    verdicts: Verdicts,
    stopped: Stopped = never,
) -> Settled:
    """End what hangs in these partitions under these transactional ids, none of which has a transaction under way."""
    rolled_back: set[Input] = set()
    looked = Looked([])
    for _ in range(TRIES):
        looked = find(settings, places, ids, stopped)
        refused = ""
        for token, those in _by_token(looked.hung).items():
            names = _names(those)
            verdict = verdicts.of(settings, token, those, stopped)
            if verdict == "committed":
                log.error("%s: Kafka has ended a transaction elsewhere, and not in %s: committed there too", who, names)
                refused = _commit(settings, those, stopped) or refused
            elif verdict == "unknown":
                refused = "no changelog has anything of its transaction any more, so nobody knows how it ended"
            else:
                log.error("%s: Kafka has noted a transaction as complete, not ended in %s: rolled back", who, names)
                throw_away(token.by, [one.place for one in those])
                rolled_back.update(one.place for one in those)
        if not looked.hung or refused:
            break
    else:
        refused = "look for it with `kafka-transactions.sh find-hanging`, and end it with its `abort`"
    if refused:
        log.error("%s: what hangs in %s is not ended, and hides what follows: %s", who, _names(looked.hung), refused)
    return Settled(frozenset(rolled_back), looked.unseen.union(one.place for one in looked.hung))


def find(settings: Settings, places: Collection[Input], ids: Collection[str], stopped: Stopped = never) -> Looked:
    """What hangs in these partitions under these transactional ids."""
    open_in = _open_in(settings, stuck(settings, places, stopped), stopped)
    found = []
    for place, opened in open_in.items():
        for one in opened or ():
            lying = Lying(*place, one.start)
            first = fate.firsts(settings, [lying], "read_uncommitted", stopped)[lying]
            # Behind what has been deleted lies another transaction's.
            token = tokens.carried(first.headers) if first.offset == one.start else None
            if token is None:
                log.error("%s partition %d: what hangs at offset %d does not say whose it is", *place, one.start)
            elif token.by in ids:
                found.append(Hung(place, one, token, first.appended))
    return Looked(found, frozenset(place for place, opened in open_in.items() if opened is None))


def stuck(settings: Settings, places: Collection[Input], stopped: Stopped = never) -> list[Input]:
    """The partitions in which a transaction is open, and stays open: readers do not get on for `fate.OPEN_S`. All are
    asked at once; where nothing is open that takes as long as two questions.
    """
    admin = asking.client(settings)
    # In this order: a record that is appended in between cannot look like an open one.
    ends = fate.ends(admin, places, IsolationLevel.READ_UNCOMMITTED, stopped)
    stood = dict.fromkeys(ends, -1)
    since = time.monotonic()
    while True:
        stable = fate.ends(admin, stood, IsolationLevel.READ_COMMITTED, stopped)
        if any(stood[place] != at for place, at in stable.items()):
            since = time.monotonic()
        stood = {place: at for place, at in stable.items() if at < ends[place]}
        if not stood or time.monotonic() - since > fate.OPEN_S:
            return list(stood)
        fate.pause(stopped)


def _open_in(settings: Settings, places: Collection[Input], stopped: Stopped) -> dict[Input, list[Open] | None]:
    """None: we may not look."""
    if not places:
        return {}
    found: dict[Input, list[Open]] = {}
    reason = "without the right to read it"
    try:
        found = _waiting(lambda: markers.open_in(settings, places), stopped)
    except markers.Refused as error:
        reason = str(error)
    if unseen := [place for place in places if place not in found]:
        log.error("what hangs in %s cannot be looked at: %s", _listed(unseen), reason)
    return {place: found.get(place) for place in places}


def _ended(messages: Iterable[Message]) -> set[Input]:
    """The partitions of which a reader is told that there is no more."""
    found = set[Input]()
    for message in messages:
        error = message.error()
        if error is None:
            continue
        if error.code() == KafkaError._PARTITION_EOF or error.code() in fate.UNSEEN:
            found.add((message.topic() or "", message.partition() or 0))
        else:
            log.warning("reading a changelog: %s", error.str())
    return found


def _waiting(ask: Callable[[], T], stopped: Stopped) -> T:
    while True:
        try:
            return ask()
        except markers.Away as error:
            reason = str(error)
        except KafkaException as exception:
            reason = exception.args[0].str()
        log.warning("looking for what hangs: %s", reason)
        fate.pause(stopped)


def _verdict(settings: Settings, token: Token, those: Collection[Hung], stopped: Stopped) -> Verdict:
    # A changelog's times are the brokers'; elsewhere they are those of a worker, whose clock may be wrong.
    in_changelogs = [one.appended for one in those if one.place in token.ends]
    began = min(in_changelogs or [one.appended for one in those])
    starts = [began - SKEW_MS] if in_changelogs else [began - SKEW_MS, 0]
    for start in starts:
        if lying := _lying(settings, token, max(0, start), stopped):
            fates = set(fate.of(settings, lying, stopped).values())
            if "there" in fates:
                return "committed"
            if fates != {"gone"}:
                return "undone"
    is_fresh = 0 <= time.time() * 1000 - began < FRESH_MS
    return "undone" if in_changelogs or is_fresh else "unknown"


def _lying(settings: Settings, token: Token, since: int, stopped: Stopped) -> list[Lying]:
    """Where the changelogs have something of this transaction, committed or not, at `since` (ms) or later."""
    found: dict[Input, Lying] = {}
    reader = changelog.consumer(
        settings, f"{settings.worker_id}-recovery", enable_partition_eof=True, isolation_level="read_uncommitted"
    )
    try:
        starts = [TopicPartition(*end, since) for end in token.ends]
        reader.assign(_waiting(lambda: reader.offsets_for_times(starts, timeout=fate.ASK_S), stopped))
        left = set(token.ends)
        while left:
            messages = reader.consume(changelog.CHUNK, READ_S)
            for message in messages:
                if message.error() is None and tokens.carried(message.headers()) == token:
                    place = (message.topic() or "", message.partition() or 0)
                    found[place] = Lying(*place, message.offset() or 0)
                    left.discard(place)
            left -= _ended(messages)
            if stopped():
                raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))
    finally:
        reader.close()
    return list(found.values())


def _commit(settings: Settings, hung: Iterable[Hung], stopped: Stopped) -> str:
    """Why it cannot be done; empty when it is."""
    refused = ""
    for one in hung:
        try:
            _waiting(partial(markers.commit, settings, one.place, one.open), stopped)
        except markers.Refused as error:
            refused = f"{error}; with the right Alter on the cluster the worker ends it when it starts"
    return refused


def _by_token(found: Iterable[Hung]) -> dict[Token, list[Hung]]:
    of = defaultdict(list)
    for one in found:
        of[one.token].append(one)
    return of


def _names(found: Iterable[Hung]) -> str:
    return _listed(one.place for one in found)


def _listed(places: Iterable[Input]) -> str:
    return ", ".join(f"{topic} partition {number}" for topic, number in sorted(places))
