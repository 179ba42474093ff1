"""The Faust transport `ringback://`: what it changes of Faust's own for aiokafka, and why.

Faust keeps the group, the assignment, the thread that reads, and the way of a message to an agent. Changed is what a
message is (the next batches of those partitions that have one, each merged from its sources), where positions come
from (the marker, not the group's offsets), and what a revocation waits for. Every method overridden here is pinned by a
test to the source of the installed Faust, so that an upgrade fails loudly.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import aiokafka
from aiokafka.consumer import fetcher
from aiokafka.protocol.group import JoinGroupRequest
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.utils.futures import notify

from streams import kafka
from streams.engine import budgets, exits, static
from streams.engine.intake import Fetched
from streams.engine.partition import Batch
from streams.engine.stages import Input

if TYPE_CHECKING:
    from streams.engine.ports import Membership
    from streams.engine.worker import Engine

log = logging.getLogger(__name__)

SCHEME = "ringback"
#: The broker answers a fetch when it has so much for it, or after so long: with little to do all partitions' records
#: come together, so many times a second, and a fetch costs the same whatever it brings. Until it is answered an input
#: that is not in the request is not read.
FETCH_MAX_WAIT_MS = 45
FETCH_MIN_BYTES = 65_536
#: A fetch is given up when it has not ended so long (seconds) after it should have.
FETCH_GRACE_S = 0.25
#: The group's coordinator is heard within so long (seconds), or asked again.
HEARTBEAT_S = 2.0
#: The group's coordinator hears within so long (seconds) that this process leaves, or misses it later.
LEAVE_S = 2.0
#: How often (seconds) it is asked whether the membership of the group has failed.
WATCH_S = 1.0
#: A commit for the group is answered within so long (seconds), or has failed; when the process ends, within less.
COMMIT_S, LAST_COMMIT_S = 5.0, 1.0
MAX_POLL_RECORDS = 4_000


class Records(fetcher.PartitionRecords):  # type: ignore[misc]
    """Gives records as the parser has them: offset, timestamp and its type, key, value. aiokafka would make one of its
    own out of each, with eleven fields that nobody reads; that costs as much as a tenth of deciding.
    """

    def _consumer_record(self, tp: TP, record: Any) -> Any:
        return record


fetcher.PartitionRecords = Records

#: aiokafka divides it and compares with it. Kafka is not told of it: a member that has to come back for a rebalance has
#: `rebalance_timeout_ms` for that.
NEVER_MS = math.inf


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Reads committed records only, from where it is told, and says how far it has read."""

    logger = logging.getLogger("faust.transport")

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf, engine = self.app.conf, transport.app.engine
        inputs = sum(stage.partitions * len(stage.topics) for stage in engine.stages)
        # Faust would take round robin without tables; sources must be assigned by partition number.
        self._assignor = self.app.assignor
        return aiokafka.AIOKafkaConsumer(
            **kafka.aiokafka_settings(engine.settings),
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            # A position that is gone is an error: it is never replaced by another one silently.
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_poll_records=MAX_POLL_RECORDS,
            # aiokafka would leave the group after so long without a fetch, and not come back before there is one: a
            # process has none while it has no partitions, or none of them is open. The watchdog looks for what hangs.
            max_poll_interval_ms=NEVER_MS,
            max_partition_fetch_bytes=budgets.partition_fetch(engine.settings, inputs),
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            fetch_min_bytes=FETCH_MIN_BYTES,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
        )

    async def on_start(self) -> None:
        """With an instance id, a process that another one has replaced must end, not come back and replace that one."""
        await super().on_start()
        if self.app.conf.consumer_group_instance_id:
            static.name(self._ensure_consumer()._coordinator, self.app.conf.consumer_group_instance_id, self._replaced)

    async def on_thread_stop(self) -> None:
        """Leave the group, if it can be told. With the brokers away aiokafka waits for that as long as for any answer,
        or ends with the cancelling of a fetch of its own; then Faust's thread would end without telling those who wait
        for its end.
        """
        leaving = asyncio.create_task(super().on_thread_stop())
        await asyncio.wait([leaving], timeout=LEAVE_S)
        if not leaving.done():
            log.warning("the group %s was not told that this process leaves: Kafka does not answer", self.app.conf.id)
        elif not leaving.cancelled() and (error := leaving.exception()) is not None:
            log.warning("the consumer could not be closed: %r", error)

    def _replaced(self) -> None:
        conf = self.app.conf
        exits.die(
            exits.TWIN,
            f"another process has joined the group {conf.id} with the instance_id {conf.consumer_group_instance_id}: "
            "it has the partitions now. Give each process an instance_id of its own",
        )

    async def fetch(self, wanted: frozenset[TP], within: float) -> Fetched:
        """Records of the wanted inputs, and how far each has been read."""
        fetched: Fetched = await self.call_thread(self._fetch, wanted, within)
        return fetched

    async def _fetch(self, wanted: frozenset[TP], within: float) -> Fetched:
        consumer = self._ensure_consumer()
        # In a rebalance aiokafka would wait for the new assignment, which waits until our partitions are let go of,
        # which waits for this fetch. Nothing is lost by giving up: records are only taken after the last wait.
        try:
            records = await asyncio.wait_for(
                self._fetch_records(consumer, set(wanted), timeout=within, max_records=consumer._max_poll_records),
                within + FETCH_GRACE_S,
            )
        except TimeoutError:
            return Fetched({}, {})
        # No await from here on: positions and records belong together. A position also passes control records.
        assignment = consumer._subscription.subscription and consumer._subscription.subscription.assignment
        positions: dict[Input, int] = {}
        for tp in wanted:
            state = assignment.state_value(tp) if assignment else None
            if state is not None and state.has_valid_position:
                positions[tp.topic, tp.partition] = state.position
        return Fetched({(tp.topic, tp.partition): got for tp, got in records.items()}, positions)

    async def membership(self) -> Membership | None:
        """Ask the group's coordinator; None when it cannot be heard now."""
        membership: Membership | None = await self.call_thread(self._membership)
        return membership

    async def _membership(self) -> Membership | None:
        consumer = self._ensure_consumer()
        coordinator = consumer._coordinator
        heard = False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(coordinator.ensure_coordinator_known(), HEARTBEAT_S)
            heard = await asyncio.wait_for(coordinator._do_heartbeat(), HEARTBEAT_S)
        # aiokafka forgets its member id when the coordinator does not know it, or its generation, any more.
        if coordinator.member_id == JoinGroupRequest.UNKNOWN_MEMBER_ID:
            return "gone"
        if coordinator.need_rejoin(consumer._subscription.subscription):
            return "rebalancing"
        return "member" if heard else None

    async def check(self) -> None:
        """Raises what has ended the membership of the group. aiokafka keeps that for the next fetch, and does nothing
        more for the group until it was told: who has no partitions, or none that may be read, would be none of its
        members for ever, and look well.
        """
        await self.call_thread(self._check)

    async def _check(self) -> None:
        self._ensure_consumer()._coordinator.check_errors()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust warns by its own idea of progress; the engine has a watchdog that knows better."""


class Consumer(driver.Consumer):
    """Hands on merged batches, and lets the engine open and close partitions as they come and go."""

    logger = logging.getLogger("faust.transport")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: What may be committed for the group: the offsets behind acknowledged batches.
        self._applied: dict[TP, int] = {}
        #: Done when no commit is waited for any more.
        self._committed_enough: asyncio.Future[None] = self.loop.create_future()

    @property
    def _engine(self) -> Engine:
        engine: Engine = cast(Any, self.app).engine
        return engine

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- fetching: the engine decides what to ask for, and what comes of it

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 -- Faust's signature
    ) -> Mapping[TP, list[Any]]:
        batches = await self._engine.intake.next(self._fetch, timeout)
        # One message for all: on the way to the agent each costs as much as some records.
        return {TP(batches[0].topic, batches[0].owner.number): [batches]} if batches else {}

    async def _fetch(self, wanted: Iterable[Input], within: float) -> Fetched:
        thread = cast(ConsumerThread, self._thread)
        return await thread.fetch(frozenset(TP(topic, number) for topic, number in wanted), within)

    def _to_message(self, tp: TP, record: Sequence[Batch]) -> ConsumerMessage:
        first = record[0]
        return ConsumerMessage(
            first.topic,
            first.owner.number,
            first.offset,
            first.records[-1].appended / 1000.0,
            0,
            None,
            None,
            cast(Any, record),
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """The offsets between two messages are records of the later one."""

    def on_buffer_full(self, tp: TP) -> None:
        """The engine never has two batches of a partition under way, so that nothing fills."""

    def highwater(self, tp: TP) -> int:
        """For Faust's own monitor only, which nobody reads: the driver's raises while an assignment changes."""
        return 0

    # -- positions: the marker's, not the group's

    async def perform_seek(self) -> None:
        """A partition's inputs are moved when it has recovered, behind its marker (`seek_wait`)."""

    async def move(self, positions: Mapping[Input, int]) -> None:
        """Read on from these offsets, which may have been read before; returns when the consumer stands there."""
        for topic, number in positions:
            self._read_offset.pop(TP(topic, number), None)  # or Faust would drop what is read again
        await self.seek_wait({TP(topic, number): offset for (topic, number), offset in positions.items()})

    async def commit_now(self, positions: Mapping[Input, int]) -> bool:
        """Commit these offsets now, which are applied; whether that worked."""
        return await self._commit({TP(topic, number): offset for (topic, number), offset in positions.items()})

    async def membership(self) -> Membership | None:
        """Whether the group still counts this process among its members; None when it cannot be asked now."""
        return await cast(ConsumerThread, self._thread).membership()

    async def watch(self) -> None:
        """Raises what ends the membership of the group; returns when the consumer ends."""
        thread = cast(ConsumerThread, self._thread)
        while not thread.should_stop:
            await thread.check()
            await asyncio.sleep(WATCH_S)

    # -- commits: what was acknowledged, for those who watch the group's lag

    def applied(self, positions: Mapping[Input, int]) -> None:
        """These offsets have been applied and acknowledged."""
        for (topic, number), offset in positions.items():
            self._applied[TP(topic, number)] = offset

    def commit_no_longer(self) -> None:
        """The process ends: commits under way and to come have a last moment, together. What is applied is applied."""
        self.loop.call_later(LAST_COMMIT_S, notify, self._committed_enough)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in list(self._applied) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self._applied.get(tp)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """A failed commit loses nothing: the marker decides where to go on. (Faust would crash.)"""
        call = asyncio.ensure_future(self._thread.call_thread(self._commit_in_thread, offsets))
        try:
            # Not for the thread's answer alone: it may be busy with what waits longer.
            await asyncio.wait([call, self._committed_enough], return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                raise TimeoutError
            call.result()
        except Exception as error:
            log.warning("the group's offsets could not be committed: %s", error or type(error).__name__)
            return False
        finally:
            call.cancel()
        return True

    async def _commit_in_thread(self, offsets: Mapping[TP, int]) -> None:
        consumer = self._thread._ensure_consumer()
        assigned = consumer.assignment()
        # Whoever looks for a state finds its worker by this note.
        note = self._engine.lookups.note if self._engine.lookups is not None else ""
        known = {aiokafka.TopicPartition(*tp): (offset, note) for tp, offset in offsets.items() if tp in assigned}
        if known:
            await asyncio.wait_for(consumer.commit(known), COMMIT_S)

    # -- rebalances

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Batches under way are finished and committed before anybody else may have the partitions."""
        await self._engine.revoke()
        await self.commit()
        self._applied.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        await super().on_partitions_assigned(assigned, generation_id)
        standby = self.app.assignor.assigned_standbys()
        self._engine.assign(((tp.topic, tp.partition) for tp in assigned), ((tp.topic, tp.partition) for tp in standby))


class Producer(driver.Producer):
    """Never started: the engine has transactional producers of its own. Faust wants to have one."""


class Transport(driver.Transport):
    """Registered for URLs `ringback://`."""

    Consumer = Consumer
    Producer = Producer


TRANSPORTS.aliases[SCHEME] = f"{__name__}:Transport"
