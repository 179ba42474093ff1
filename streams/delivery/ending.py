"""What transactions of the sender's id have left without an end is ended as the transaction was (see `unended`).

*By what means.* The producer's own: another transaction over the same partitions, without a record in it, is ended in
the same way. It is done by the coordinator, or not at all, and readers see nothing of it. When it is cut off by a
broker it is made again, or ended so by the next producer.

*When.* Before a producer begins, and between two transactions after trouble: when a connection to a broker broke, or a
transaction was aborted. A transaction that wrote behind what hangs would end both alike.

*What remains.* When the trouble is heard of only within a transaction that already wrote behind what hangs, and that
is then aborted, both are. So they are when the process dies within the milliseconds in which the empty transaction is
open, or between the fencing of an earlier process and that. And a process that finds the transactions of an earlier one
under its name knows of the newest only: it ends all as that.

All methods block until the coordinator answers, or somebody waits for the end (`Ask`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaError

from streams import direct, logs
from streams.settings import Settings

from . import coordinator
from .unended import End, Newest, Place, Unended

log = logs.get(__name__)


class Ask(Protocol):
    """Puts a question until it is answered. Raises `direct.Refused`, and what says that nobody waits any more."""

    def __call__(self, question: Callable[[], Any]) -> Any:
        """The answer."""
        ...


class Trouble:
    """Whether a broker may have gone away. An object of its own: what the client calls it keeps alive, and a producer
    that is let go of must be gone.
    """

    def __init__(self) -> None:
        self.seen = False

    def __call__(self, error: KafkaError) -> None:
        self.seen = True


class Ending:
    """For the producers of one id, one after the other, which share `unended`."""

    def __init__(self, settings: Settings, transactional_id: str, unended: Unended, ask: Ask) -> None:
        self._settings, self._id = settings, transactional_id
        self._unended = unended
        self._ask = ask

    def hear(self) -> None:
        """Ask how the newest transaction ended: before a new producer begins, for then the coordinator forgets."""
        unended = self._unended
        try:
            heard: Newest = self._ask(partial(coordinator.newest, self._settings, self._id, unended.wanted))
        except direct.Refused as error:
            log.error("the coordinator does not say how the last transaction ended: aborted", reason=str(error))
            heard = Newest("aborted")
        unended.heard(heard)

    def end(self) -> None:
        """End what may hang; no transaction is under way. What cannot be ended is left for the next transaction there,
        and for the next call.
        """
        for end, places in self._unended.to_end().items():
            # Cut off, it is ended so by whoever comes next.
            self._unended.wanted = end
            left = self._end(places, end)
            self._unended.wanted = "aborted"
            if left:
                names = ", ".join(f"{topic} partition {number}" for topic, number in sorted(left))
                log.error("what may hang is left, and hides what follows it", places=names, as_it_ended=end)

    def _end(self, places: frozenset[Place], end: End) -> frozenset[Place]:
        """Those that are left."""
        try:
            left: frozenset[Place] = self._ask(partial(coordinator.end_in, self._settings, self._id, places, end))
        except direct.Refused as error:
            log.error("what may hang cannot be ended", reason=str(error))
            return places
        return left
