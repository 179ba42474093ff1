"""One request and its answer: a connection that waits or a new one, a deadline over everything, one outcome.

With a connection at hand it is no task of the event loop: the connection calls it when the answer is whole, and it
calls whoever asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import msgspec

from streams.delivery.deadlines import Deadlines
from streams.delivery.outcome import Outcome

from . import failures
from .connections import Connection, Connections, Disconnected
from .dialling import Dialler, Phases, since
from .origins import Origin

#: Of a connection that was there already.
_NONE = Phases()
#: Of a request that a closed wire does not write any more.
CLOSED = Outcome("ours", None, "closed")
#: Of a request whose time was over before the name was looked up.
UNANSWERED = Outcome("ours", None, "resolver: no answer in time")


class Exchange:
    """Under way from `begin` on, until `over` is called or it is cancelled; never both."""

    __slots__ = (
        "_begun",
        "_bodiless",
        "_connection",
        "_connections",
        "_deadlines",
        "_dialling",
        "_origin",
        "_over",
        "_phases",
        "_request",
        "_slot",
        "_written_at",
    )

    def __init__(
        self,
        connections: Connections,
        deadlines: Deadlines,
        origin: Origin,
        request: bytes,
        bodiless: bool,
        over: Callable[[Outcome], None],
    ) -> None:
        self._connections, self._deadlines = connections, deadlines
        self._origin, self._request, self._bodiless = origin, request, bodiless
        self._over: Callable[[Outcome], None] | None = over
        self._connection: Connection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._phases = _NONE
        self._slot = 0
        self._begun = self._written_at = 0.0

    def begin(self, dialler: Dialler, now: float, deadline: float) -> None:
        """Ask on a connection that waits, or on a new one; give up at `deadline` (both monotonic seconds)."""
        self._begun = self._written_at = now
        self._slot = self._deadlines.set(self, deadline)
        connection = self._connections.take(self._origin, now)
        if connection is not None:
            self._ask(connection)
        else:
            self._phases = Phases()
            self._dialling = self._connections.loop.create_task(self._dial(dialler))

    def cancel(self) -> None:
        """See `streams.delivery.wire.Sending`."""
        if self._over is not None:
            self._end()
            self._drop()

    def expire(self) -> None:
        """The time is over. A name server that does not answer is as little the partner's fault as one that says that
        it cannot, which most resolvers say of it after ten seconds.
        """
        self._fail(UNANSWERED if self._phases.looking_up else Outcome("failure", None, "timeout"))

    def failed(self, error: Exception) -> None:
        """The connection ended before the answer was whole, or with something that is none."""
        outcome, connection = failures.outcome(error, dialled=True), self._connection
        if connection is not None and self._phases is _NONE and connection.first_byte_at is None:
            self._connections.distrust(self._origin, time.monotonic())
        self._fail(outcome)

    def close(self) -> None:
        """The wire closes. What was not written yet is not charged."""
        if self._connection is None:
            self._fail(CLOSED)
        else:
            self.failed(Disconnected())

    def answered(self) -> None:
        """The connection has the whole answer."""
        over, connection = self._end(), self._connection
        if over is None or connection is None:
            return
        now = time.monotonic()
        self._connections.give(self._origin, connection, now)
        reading, phases = connection.reading, self._phases
        outcome = Outcome(
            "answer",
            reading.status,
            None,
            reading.retry_after,
            round((now - self._begun) * 1000, 2),
            phases.dns_ms,
            phases.connect_ms,
            phases.tls_ms,
            round(((connection.first_byte_at or now) - self._written_at) * 1000, 2),
            phases is _NONE,
            connection.peer,
            reading.text,
            reading.headers if self._connections.headers else (),
        )
        over(outcome)

    async def _dial(self, dialler: Dialler) -> None:
        try:
            connection = await dialler.dial(self._origin, self._phases)
        except Exception as error:
            outcome = failures.outcome(error, dialled=False)
            if outcome.kind == "ours":
                self._connections.shed()
            self._dialling = None
            self._fail(outcome)
            return
        self._dialling = None
        self._written_at = time.monotonic()
        self._ask(connection)

    def _ask(self, connection: Connection) -> None:
        self._connection = connection
        connection.ask(self._request, self._bodiless, self)

    def _fail(self, outcome: Outcome) -> None:
        """Tell it with all that is known of how it came to it."""
        over, connection, phases = self._end(), self._connection, self._phases
        if over is None:
            return
        reading = connection.reading if connection is not None else None
        told = msgspec.structs.replace(
            outcome,
            status=reading.status if reading is not None else None,
            retry_after=reading.retry_after if reading is not None else None,
            response=reading.text if reading is not None else None,
            duration_ms=since(self._begun),
            dns_ms=phases.dns_ms,
            connect_ms=phases.connect_ms,
            tls_ms=phases.tls_ms,
            reused=phases is _NONE,
            address=connection.peer if connection is not None else None,
        )
        self._drop()
        over(told)

    def _end(self) -> Callable[[Outcome], None] | None:
        over, self._over = self._over, None
        self._deadlines.drop(self, self._slot)
        return over

    def _drop(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
        if self._connection is not None:
            self._connection.drop()
