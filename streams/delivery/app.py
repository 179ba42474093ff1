"""The sender as a process: started, fed, stopped, and started anew inside when Kafka took its transaction away."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
import uuid
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from schemas.config import Configuration
from schemas.control import Control, Target, Unreadable
from streams import interpreter, kafka, logs, probes
from streams.clock import SystemClock
from streams.config.control import ControlFollower
from streams.config.follow import ConfigurationFollower
from streams.config.topic import Refused
from streams.errors import Stop
from streams.metrics import Metrics
from streams.settings import Settings

from .agreement import Agreement
from .consumer import Intake, Taken, check_there
from .counts import Counting, Counts
from .egress import Guard
from .faults import FaultPoints
from .offsets import Tracker
from .outcomes import Fatal, Outbox, Transactions
from .secrets import Secrets
from .sender import Limits, Sender
from .settling import Settling
from .tallies import Tallies
from .wire import HttpWire, Wire

log = logs.get(__name__)

#: How long a rebalance waits for requests under way; what takes longer is sent again by the next owner, with the
#: same id.
DRAIN_SECONDS = 5.0
#: Before a session is begun anew (seconds), when that is the first one that failed, the second in a row and so on: what
#: ends one after the other has the same jobs sent again and again. One that lasts for a while was well.
RESTART_SECONDS = (1.0, 1.0, 1.0, 2.0, 4.0, 8.0, 10.0)
WELL_SECONDS = 60.0
#: A configuration that is there has been read after so long (seconds), unless Kafka is slow.
PATIENCE_SECONDS = 3.0
NOTHING_APPLIED = "there is no configuration yet, and nothing to do before `ringback apply DIR` writes one"
NOTHING_READ = "the configuration could not be read yet: Kafka is away, or nothing was ever applied; waiting"
#: How long (seconds) one question to Kafka may take.
ASK_SECONDS = 5.0
#: Without an answer about pauses for so long (seconds), jobs are sent; a pause takes effect when it is heard of.
CONTROLS_SECONDS = 30.0
#: Outcomes that are not committed for so long make the sender not ready (seconds).
BEHIND_SECONDS = 5.0

#: The last outcomes could not be committed, so that the next sender sends again what they were of. Safe to restart; a
#: worker has the same.
UNFINISHED = 70

FENCED = frozenset({KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID})


class Twin(Stop):
    """Another process runs under the same name."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            f"another sender with instance_id {settings.instance_id!r} has joined the group {settings.sender_group!r}",
            "give each process an instance_id of its own",
        )


class Bridge:
    """Carries what the consumer's thread says into the event loop."""

    def __init__(
        self,
        sender: Sender,
        readiness: probes.Readiness,
        settings: Settings,
        fail: Callable[[Exception], None],
    ) -> None:
        self._sender = sender
        self._fail = fail
        self._readiness = readiness
        self._delivery = kafka.Topics(settings.topic_prefix).delivery
        self._loop = asyncio.get_running_loop()
        #: What is read from now on is not worked on.
        self.closed = False
        # One is written by the thread, the other by the loop.
        self._handed = 0
        self._received = 0

    def room(self) -> int:
        return 0 if self.closed else self._sender.room() - (self._handed - self._received)

    def hungry(self) -> bool:
        return self._sender.hungry()

    def due(self, tier: int, appended: int) -> bool:
        return self._sender.due(tier, appended)

    def taken(self, records: list[Taken]) -> None:
        self._handed += len(records)
        self._loop.call_soon_threadsafe(self._receive, records)

    def _receive(self, records: list[Taken]) -> None:
        self._received += len(records)
        if self.closed:
            # It was under way from the thread. A request that begins now would be torn off at the end.
            return
        try:
            self._sender.taken(records)
        except Exception as error:
            # What of these records was not looked at would be passed over by the next commit.
            log.exception("what was read could not be worked on")
            self._fail(error)

    def assigned(self, trackers: list[Tracker], share: float) -> None:
        count = sum(tracker.topic == self._delivery for tracker in trackers)
        self._loop.call_soon_threadsafe(self._sender.assigned, trackers, share, count)
        self._readiness.set("assigned", True)

    def unread(self, records: dict[str, int]) -> None:
        self._loop.call_soon_threadsafe(self._note_unread, records)

    def _note_unread(self, records: dict[str, int]) -> None:
        self._sender.unread = records

    def revoked(self, trackers: list[Tracker]) -> None:
        self._readiness.set("assigned", False, "partitions are being assigned anew")
        drained = self._sender.revoked(trackers, DRAIN_SECONDS)
        try:
            asyncio.run_coroutine_threadsafe(drained, self._loop).result()
        except Fatal as error:
            # What could not be committed is finished for the trackers: the next commit would pass over it.
            self._loop.call_soon_threadsafe(self._fail, error)

    def lost(self, trackers: list[Tracker]) -> None:
        self._readiness.set("assigned", False, "the partitions were lost")
        self._loop.call_soon_threadsafe(self._sender.lost, trackers)


class Service:
    """What lasts over sessions: configuration, controls, metrics, connections, and the wish to stop."""

    def __init__(self, settings: Settings, limits: Limits | None = None, wire: Wire | None = None) -> None:
        self.settings = settings
        self.limits = (limits or Limits())._replace(prefetch=settings.prefetch)
        #: One for all sessions: only under the same id can a new producer end what an earlier one left open.
        self.transactional_id = f"{settings.sender_group}-{settings.instance_id or uuid.uuid4().hex}"
        self.written: set[tuple[str, int]] = set()
        self.metrics = Metrics()
        self.readiness = probes.Readiness("configuration", "assigned")
        self.metrics.ready.set_function(lambda: self.readiness.ready)
        for reason in ("consume", "fatal", "metadata", "transaction"):
            self.metrics.kafka_errors_total.labels(reason)
        self.clock = SystemClock()
        self.faults = FaultPoints.from_environment()
        self.wire = self.faults.around(wire or HttpWire(Guard(settings.egress_allow)))
        self.secrets = Secrets()
        self.stopping = asyncio.Event()
        self.port = 0
        #: What the process ends with when it was told to stop.
        self.status = 0
        self._fallen = 0
        self.sender: Sender | None = None
        self._loop = asyncio.get_running_loop()
        self._configuration: Configuration | None = None
        self._controls: dict[Target, Control] = {}
        self._first = asyncio.Event()
        self._follower = ConfigurationFollower(settings, self._on_configuration, self._on_refused)
        self._control_follower = ControlFollower(settings, self._on_control, self._on_unreadable)

    async def run(self) -> int:
        """Serve until told to stop; returns the exit status: 0 unless the last outcomes could not be committed. Raises
        `Stop`.
        """
        settings = self.settings
        try:
            served = await probes.serve(
                settings.metrics_host, settings.sender_metrics_port, self.metrics.registry, self.readiness
            )
        except Stop:
            await self.wire.close()
            raise
        self.port = served.port
        log.info("probes: http://%s:%d/readyz", self.settings.metrics_host, served.port)
        self._follower.start()
        self._control_follower.start()
        try:
            await self._know_configuration()
            await self._topics_there()
            await self._know_controls()
            while not self.stopping.is_set():
                await self._session()
        finally:
            await asyncio.to_thread(self._follower.stop)
            await asyncio.to_thread(self._control_follower.stop)
            await self.wire.close()
            await served.close()
        return self.status

    async def _know_configuration(self) -> None:
        log.info("reading the configuration")
        told = ""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._either(self._first.wait()), PATIENCE_SECONDS)
            if self._first.is_set() or self.stopping.is_set():
                return
            if told != (told := NOTHING_APPLIED if self._follower.is_empty else NOTHING_READ):
                log.info(told)

    async def _topics_there(self) -> None:
        """Raises `Stop` when a topic is missing: to wait for it would look as if there were nothing to do."""
        topics = kafka.Topics(self.settings.topic_prefix)
        written = (topics.receipts, topics.dead_letters, topics.report, topics.control, topics.senders)
        wanted = (topics.delivery, *topics.retries(), *written)
        admin = AdminClient(kafka.admin_settings(self.settings))
        while not self.stopping.is_set():
            try:
                known = await asyncio.to_thread(admin.list_topics, timeout=ASK_SECONDS)
            except KafkaException as error:
                log.warning("Kafka cannot be reached, trying again", reason=error.args[0].str())
                await self._either(asyncio.sleep(RESTART_SECONDS[0]))
                continue
            check_there(known.topics, wanted)
            if self.settings.instance_id:
                # A process of this name may have died before it could end what a broker had left open.
                places = (
                    (name, number) for name in (*topics.retries(), *written) for number in known.topics[name].partitions
                )
                self.written.update(places)
            return

    async def _know_controls(self) -> None:
        """Wait for the pauses that are in force, in short steps: a thread that waits cannot be told to stop."""
        deadline = time.monotonic() + CONTROLS_SECONDS
        while not self.stopping.is_set() and time.monotonic() < deadline:
            if await asyncio.to_thread(self._control_follower.wait_caught_up, 0.1):
                return

    async def _either(self, wanted: object) -> None:
        """Wait for something, or for the wish to stop."""
        tasks = [asyncio.ensure_future(wanted), asyncio.ensure_future(self.stopping.wait())]  # type: ignore[call-overload]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _session(self) -> None:
        """From joining the group to leaving it. Returns when told to stop, or when it must be begun anew."""
        session, begun = Session(self), time.monotonic()
        try:
            await session.run()
        except Fatal as error:
            log.error("the producer cannot go on, beginning anew from what is committed", reason=str(error))
            self.metrics.kafka_errors_total.labels("fatal").inc()
            if self.stopping.is_set():
                self.status = UNFINISHED
            self.readiness.set("assigned", False, "beginning anew")
            self._fallen = 1 if time.monotonic() - begun > WELL_SECONDS else self._fallen + 1
            await self._either(asyncio.sleep(before_another(self._fallen)))

    def start(self, sender: Sender) -> None:
        """Tell a new session's sender what is in force."""
        self.sender = sender
        if self._configuration is not None:
            sender.configure(self._configuration)
        for target, control in self._controls.items():
            sender.control(target.kind, target.id, control)

    def deaf(self) -> str:
        """Which topic is not followed any more, so that a restart is due; empty when all is well."""
        if not self._follower.alive:
            return "the config topic is not followed any more"
        return "" if self._control_follower.alive else "the control topic is not followed any more"

    def _on_configuration(self, configuration: Configuration) -> None:
        self._loop.call_soon_threadsafe(self._configure, configuration)

    def _configure(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.metrics.config_generation.set(configuration.generation)
        self.readiness.set("configuration", True)
        self._first.set()
        if self.sender is not None:
            self.sender.configure(configuration)

    def _on_refused(self, refused: Refused) -> None:
        self.metrics.config_errors_total.inc()

    def _on_control(self, target: Target, control: Control | None) -> None:
        self._loop.call_soon_threadsafe(self._control, target, control)

    def _control(self, target: Target, control: Control | None) -> None:
        self._controls.pop(target, None)
        if control is not None:
            self._controls[target] = control
        if self.sender is not None:
            self.sender.control(target.kind, target.id, control)

    def _on_unreadable(self, error: Unreadable) -> None:
        self.metrics.config_errors_total.inc()


class Session:
    """One membership in the group with one producer."""

    def __init__(self, service: Service) -> None:
        settings = service.settings
        topics = kafka.Topics(settings.topic_prefix)
        self._service = service
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._transactions = Transactions(
            settings, service.transactional_id, self._group, service.written, service.faults
        )
        counting = Counting(self._transactions, Counts(topics.report, uuid.uuid4().hex[:16]))
        self._outbox = Outbox(counting, settings.commit_interval, service.metrics)
        self._tallies = Tallies(service.metrics)
        self._sender = Sender(
            limits=service.limits,
            settling=Settling(topics, service.limits.tiers),
            clock=service.clock,
            wire=service.wire,
            outbox=self._outbox,
            tallies=self._tallies,
            secret=service.secrets,
            read_on=self._read_on,
            control_topic=topics.control,
        )
        self._agreement = Agreement(settings, self._sender, service.clock)
        self._bridge = Bridge(self._sender, service.readiness, settings, self._fail)
        self._intake = Intake(settings, self._bridge, service.metrics, self._stopped)

    def _group(self, epoch: int) -> object:
        return self._intake.group(epoch)

    def _read_on(self, tracker: Tracker) -> None:
        self._intake.resume(tracker.topic, tracker.partition)

    def _stopped(self, error: Exception) -> None:
        """The consumer's thread ended with an error."""
        self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: Exception) -> None:
        if self._failed.done():
            return
        cause = error.args[0] if isinstance(error, KafkaException) else None
        fenced = isinstance(cause, KafkaError) and cause.code() in FENCED
        self._failed.set_exception(Twin(self._service.settings) if fenced else Fatal(str(error)))

    async def run(self) -> None:
        """Work until told to stop (then end in order), or raise `Fatal` or `Stop` at once."""
        service = self._service
        service.start(self._sender)
        tasks: list[asyncio.Task[None]] = []
        stop = asyncio.ensure_future(_waited(service.stopping))
        try:
            # Both wait for the broker as long as it takes, but not longer than somebody wants this process.
            starting = asyncio.ensure_future(asyncio.to_thread(self._start))
            await asyncio.wait([starting, stop], return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return
            starting.result()
            parts = (self._outbox.run(), self._sender.run(), self._agreement.run(), self._watch())
            tasks = [asyncio.create_task(part) for part in parts]
            ends: list[asyncio.Future[None]] = [*tasks, self._failed]
            await asyncio.wait([*ends, stop], return_when=asyncio.FIRST_COMPLETED)
            _raise_errors(ends)
            await self._end()
            # What was being committed when the end began is not among what the end commits.
            _raise_errors(tasks)
        finally:
            stop.cancel()
            self._transactions.discard()
            service.sender = None
            await self._close(tasks)

    def _start(self) -> None:
        self._transactions.start()
        self._intake.start()

    async def _end(self) -> None:
        """In order: nothing new, what is under way to its end, its receipts and offsets committed."""
        log.info("stopping", in_flight=self._sender.in_flight)
        deadline = time.monotonic() + self._service.settings.grace / 1000
        self._intake.stop()
        self._bridge.closed = True
        given_up = await self._sender.finish_in_flight(deadline - time.monotonic())
        try:
            await asyncio.wait_for(self._outbox.flush(), max(1.0, deadline - time.monotonic()))
        except TimeoutError:
            log.error("the last outcomes could not be committed within the grace time", jobs=len(self._outbox))
            self._service.status = UNFINISHED
        if given_up:
            log.warning("requests were given up at the end of the grace time", count=given_up)

    async def _close(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._sender.finish_in_flight(0)
        self._sender.lost(set(self._sender.trackers))
        self._tallies.tell()
        await asyncio.to_thread(self._agreement.close)
        await asyncio.to_thread(self._intake.close)
        self._outbox.close()
        if self._failed.done() and not self._failed.cancelled():
            self._failed.exception()

    async def _watch(self) -> None:
        """Not ready while outcomes cannot be committed; a restart is due when nobody hears of changes any more."""
        while True:
            await asyncio.sleep(1.0)
            behind = len(self._outbox) > 0 and time.monotonic() - self._outbox.committed_at > BEHIND_SECONDS
            self._tallies.tell()
            self._service.readiness.set("commits", not behind, "outcomes cannot be committed")
            self._service.readiness.stuck(self._service.deaf())


def _raise_errors(parts: Iterable[asyncio.Future[None]]) -> None:
    for part in parts:
        if part.done():
            part.result()


def before_another(fallen: int) -> float:
    """How long (seconds) to wait for the next session when so many in a row have failed."""
    return RESTART_SECONDS[min(fallen, len(RESTART_SECONDS)) - 1]


async def _waited(event: asyncio.Event) -> None:
    await event.wait()


async def serve(service: Service) -> int:
    """Deliver until SIGTERM or SIGINT; returns the exit status. Raises `Stop` when it cannot start or go on."""
    interpreter.tune()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stopping.set)
    return await service.run()


def run_sender(settings: Settings, limits: Limits | None = None) -> int:
    """`serve` in an event loop of its own."""

    async def serving() -> int:
        return await serve(Service(settings, limits))

    return asyncio.run(serving())
