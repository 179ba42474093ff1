"""The Faust app around the engine: what Faust starts, in which order, and how it ends.

`faust -A streams.app worker` and `ringback worker` start the same.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import faust
from faust.app.base import BootStrategy
from yarl import URL

from streams import logs
from streams.engine import exits, transport
from streams.engine.ports import Follow, Serve
from streams.engine.recovery import Abandoned
from streams.engine.stages import Processors
from streams.engine.worker import Engine
from streams.errors import USAGE, Stop
from streams.settings import Settings

log = logging.getLogger(__name__)

#: A worker lets the group hear of it so often (seconds); more often when its session is short.
HEARTBEAT_S = 2.0
#: What is cancelled in the end has so long (seconds) to notice.
CANCEL_S = 0.1


class Boot(BootStrategy):
    """Neither Faust's producer, which nothing uses, nor its web server, which would show device data."""

    enable_kafka_producer = False
    enable_web = False


class Worker(faust.Worker):
    """Faust's worker with our logs: structured, and no banner or spinner between the lines."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "override_logging": False, "redirect_stdouts": False, "quiet": True})
        self.spinner = None

    def _gather_all(self) -> None:
        """What tasks are left have nothing more to do: Faust would wait a second for them, and cancel them then."""
        if left := asyncio.all_tasks(self.loop):
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(left, timeout=CANCEL_S))

    async def _sentinel_task(self) -> None:
        """Faust would let the loop turn for another second."""


class App(faust.App):
    """The engine's Faust app. Its agent is made when the configuration has told the sources."""

    BootStrategy = Boot
    logger = logging.getLogger("faust.app")
    engine: Engine

    async def on_first_start(self) -> None:
        """Before any service of Faust's: whatever is wrong is said in a line, with what to do, and ends the process."""
        await super().on_first_start()
        engine = self.engine
        logs.setup(engine.settings.log_level, engine.settings.log_format, "worker")
        try:
            await engine.start()
        except Abandoned:
            return
        except Stop as stop:
            log.error("%s", stop)
            engine.exit_status = stop.exit_code
            await engine.close()
            exits.leave(engine.exit_status)
        engine.attach(cast(Any, self.consumer))
        # One agent for both stages: it only hands batches on. Faust's assignor groups topics by their number of
        # partitions: those of the sources stay together, the users topic may be assigned apart.
        topic = self.topic(*(topic for stage in engine.stages for topic in stage.topics), schema=BatchSchema())
        self.agent(topic, name="stages", concurrency=1)(self._take)

    async def _take(self, stream: Any) -> None:
        """The agent: gives each batch to its partition. The message is acknowledged when all of them are applied."""
        async for event in stream.noack().events():
            self.engine.take_all(event.value, event.ack)

    async def on_stop(self) -> None:
        """What is under way is finished and committed first; then Faust commits offsets and leaves the group."""
        # Before anything is waited for: the process may end with what it waits for.
        self._note_crash()
        self.engine.stop_starting()
        await self.engine.drain()
        self.engine.ending.hurry()
        if self._consumer is not None:
            cast(transport.Consumer, self._consumer).commit_no_longer()
        await super().on_stop()

    async def on_shutdown(self) -> None:
        """After everything else has stopped."""
        await super().on_shutdown()
        self.engine.ending.waits_for = "closing connections"
        await self.engine.close()
        self._note_crash()
        self.engine.ending.ended()
        if self.engine.exit_status:
            exits.leave(self.engine.exit_status)

    def _note_crash(self) -> None:
        if self.crashed and not self.engine.exit_status:
            self.engine.exit_status = exits.CHECKPOINT_FAILED


class BatchSchema(faust.Schema[Any, Any]):
    """Messages are batches already: nothing to decode."""

    def compile(self, app: Any, **kwargs: Any) -> Any:
        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return app.create_event(None, message.value, None, message)

        return decode


def build_app(settings: Settings, processors: Processors, follow: Follow, serve: Serve | None = None) -> App:
    """An app that is not started. Raises `Stop` when the settings cannot be followed."""
    state = settings.state_dir / settings.worker_id
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Stop(
            f"the state directory {state} cannot be made: {error.strerror}", "choose another: RINGBACK_STATE_DIR", USAGE
        ) from error
    app = App(
        settings.worker_id,
        broker=[URL(f"{transport.SCHEME}://{server.strip()}") for server in settings.bootstrap_servers.split(",")],
        datadir=str(state / "faust"),
        store="memory://",
        cache="memory://",
        web_enabled=False,
        Worker=Worker,
        processing_guarantee="at_least_once",
        consumer_group_instance_id=settings.instance_id or None,
        # Faust's assignor refuses an assignment that names another host: a static member that is back on another
        # machine is given the one it had before. Nobody is asked at this address.
        canonical_url="http://ringback",
        broker_session_timeout=settings.session / 1000,
        broker_heartbeat_interval=min(HEARTBEAT_S, settings.session / 5000),
        broker_commit_every=None,
        broker_commit_interval=1.0,
        stream_wait_empty=True,
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=1024,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=settings.standbys,
        web_tables_enabled=False,
        web_router_enabled=False,
    )
    app.engine = Engine(settings, processors, follow, serve=serve)
    return app


def run(app: App) -> int:
    """Run the worker until it ends; its exit status. Only from the main thread, once per process."""
    try:
        app.Worker().execute_from_commandline()
    except SystemExit as end:
        # Whatever the engine knows of it has ended with a status of its own: this is for a restart to mend.
        return app.engine.exit_status or (exits.CHECKPOINT_FAILED if end.code else 0)
    return app.engine.exit_status
