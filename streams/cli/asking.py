"""Asking a worker for a state, in the place of reading its changelog: `--worker`, and what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import output

if TYPE_CHECKING:
    from streams.engine.stages import StageName
    from streams.explain.keeping import Told
    from streams.lookups.answer import Answer
    from streams.lookups.client import Worker
    from streams.settings import Settings

KAFKA = "none"

WorkerUrl = Annotated[
    str,
    typer.Option(
        "--worker",
        metavar="URL",
        help="Ask this worker, whichever has the partition (RINGBACK_LOOKUP_URL); `none`: read Kafka.",
    ),
]

#: A worker that nobody insists on is waited for so long (seconds) at most; then Kafka is read.
PATIENCE_S = 5.0


class Asking:
    """Asks one worker. What cannot be told is read from Kafka, unless the user insists on the worker."""

    def __init__(self, worker: Worker, insists: bool) -> None:
        self._worker, self._insists = worker, insists
        self._given_up = False
        self._last: Answer | None = None

    def __call__(self, kind: StageName, key: str) -> Told | None:
        """The state of a device or user; None: read Kafka. Raises `Stop`."""
        from streams.explain.keeping import Told
        from streams.lookups.client import NoAnswer, Refused
        from streams.lookups.routing import Asked

        if self._given_up:
            return None
        try:
            found = self._worker.ask(Asked(kind, key))
        except (NoAnswer, Refused) as error:
            if self._insists:
                raise
            output.say(f"{error.message}; reading Kafka instead")
            self._given_up = True
            return None
        self._last = found
        return Told(None if found.state is None else found.state.row, found.partition, found.positions)

    def tell(self) -> bool:
        """Say who was asked, and how fresh it is; whether anybody was."""
        from streams.lookups.answer import freshness, newest

        last = self._last
        if last is None:
            return False
        via = "" if last.worker == self._worker.url else f", by way of {self._worker.url}"
        output.say(
            f"asked the worker at {last.worker}{via}: partition {last.partition}, applied up to "
            f"{newest(last.positions)}; {freshness(last)}"
        )
        return True


def asking(loaded: Settings, given: str, timeout: float) -> Asking | None:
    """Who is to be asked, by `--worker` or by the settings; None: Kafka is read. Raises `Stop`."""
    import socket

    from streams.lookups import access
    from streams.lookups.client import Worker

    url = given or access.asked_url(loaded, socket.gethostname())
    if not url or url == KAFKA:
        return None
    within = timeout if given else min(timeout, PATIENCE_S)
    return Asking(Worker(url, loaded.lookup_token.get_secret_value(), loaded.worker_id, within), bool(given))
