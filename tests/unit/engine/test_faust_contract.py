"""What the engine overrides in Faust, pinned to the source of the version it was read in.

A failure here after an upgrade is no error of the upgrade: read the new source of that method, see whether what
`streams.engine.transport` or `streams.engine.application` does in its place still holds, then renew the pin
(`python -m tests.unit.engine.test_faust_contract` prints them).
"""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

import faust
import pytest
from aiokafka.consumer import fetcher, group_coordinator
from aiokafka.protocol import group
from faust.app import base
from faust.assignor import partition_assignor
from faust.tables import recovery
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver

#: aiokafka's own, also when ours has been put in its place by now.
PARSED = next(one for one in fetcher.PartitionRecords.__mro__ if one.__module__ == fetcher.__name__)

#: Overridden, or relied upon by an override.
READ: tuple[Callable[..., Any], ...] = (
    driver.AIOKafkaConsumerThread._create_worker_consumer,
    driver.AIOKafkaConsumerThread._fetch_records,
    driver.AIOKafkaConsumerThread._seek_wait,
    driver.AIOKafkaConsumerThread.on_start,
    driver.AIOKafkaConsumerThread.on_thread_stop,
    driver.AIOKafkaConsumerThread.verify_event_path,
    driver.Consumer._new_consumer_thread,
    driver.Consumer._to_message,
    consumer.ThreadDelegateConsumer._getmany,
    consumer.ThreadDelegateConsumer._commit,
    consumer.ThreadDelegateConsumer.highwater,
    consumer.Consumer._add_gap,
    consumer.Consumer._commit_offsets,
    consumer.Consumer._drain_messages,
    consumer.Consumer._filter_tps_with_pending_acks,
    consumer.Consumer._new_offset,
    consumer.Consumer._wait_next_records,
    consumer.Consumer.ack,
    consumer.Consumer.getmany,
    consumer.Consumer.maybe_wait_for_commit_to_finish,
    consumer.Consumer.on_buffer_full,
    consumer.Consumer.on_partitions_assigned,
    consumer.Consumer.on_partitions_revoked,
    consumer.Consumer.perform_seek,
    consumer.Consumer.wait_empty,
    base.App._on_partitions_assigned,
    base.App._on_partitions_revoked,
    base.App._stop_consumer,
    base.App.on_first_start,
    base.App.on_stop,
    recovery.Recovery._resume_streams,
    fetcher.Fetcher.fetched_records,
    fetcher.Fetcher.seek_to,
    fetcher.FetchResult.getall,
    PARSED._consumer_record,
    PARSED._unpack_records,
    group_coordinator.GroupCoordinator._do_heartbeat,
    group_coordinator.GroupCoordinator._heartbeat_routine,
    group_coordinator.GroupCoordinator._maybe_leave_group,
    group_coordinator.GroupCoordinator._push_error_to_user,
    group_coordinator.GroupCoordinator._send_req,
    group_coordinator.GroupCoordinator.check_errors,
    group_coordinator.GroupCoordinator.ensure_active_group,
    group_coordinator.GroupCoordinator.ensure_coordinator_known,
    group_coordinator.GroupCoordinator.need_rejoin,
    group_coordinator.GroupCoordinator.reset_generation,
    faust.Worker.__init__,
    faust.Worker._gather_all,
    faust.Worker._sentinel_task,
    faust.Worker._shutdown_loop,
    group.HeartbeatRequest.__init__,
    partition_assignor.PartitionAssignor.on_assignment,
)


def digest(function: Callable[..., Any]) -> str:
    source = textwrap.dedent(inspect.getsource(function))
    return hashlib.sha256(source.encode()).hexdigest()[:16]


PINNED: dict[str, str] = {
    "AIOKafkaConsumerThread._create_worker_consumer": "c179c0bdb9755c3a",
    "AIOKafkaConsumerThread._fetch_records": "9e7369fc572de4d0",
    "AIOKafkaConsumerThread._seek_wait": "98f8aa716db26656",
    "AIOKafkaConsumerThread.verify_event_path": "3f5576be114149b0",
    "Consumer._new_consumer_thread": "8fd0d41b15145615",
    "Consumer._to_message": "a2a5aefda42d9cd1",
    "ThreadDelegateConsumer._getmany": "8dbffeccb0e3267f",
    "ThreadDelegateConsumer._commit": "91c201528438395b",
    "ThreadDelegateConsumer.highwater": "3235f153c6171e27",
    "Consumer._add_gap": "f1cc1db634f5ea09",
    "Consumer._commit_offsets": "86b3e9b0aec773ac",
    "Consumer._drain_messages": "8f35dd7a11144daa",
    "Consumer._filter_tps_with_pending_acks": "cccdca32d241b14c",
    "Consumer._new_offset": "2b29afe4dd9a65a3",
    "Consumer._wait_next_records": "ba40cd3671328d3b",
    "Consumer.ack": "5548cf0f75843f73",
    "Consumer.getmany": "e486c434b7928ee8",
    "Consumer.on_buffer_full": "edcee17978c41d8d",
    "Consumer.on_partitions_assigned": "c07feb1175f7dcf1",
    "Consumer.on_partitions_revoked": "652177e770ee66d6",
    "Consumer.perform_seek": "2b4ceebd23deb7ee",
    "Consumer.wait_empty": "53195dca246c0a86",
    "App._on_partitions_assigned": "c9c5485eb273837f",
    "App._on_partitions_revoked": "c1abd58dcb37f0a2",
    "App._stop_consumer": "96573acf5f044586",
    "App.on_first_start": "a87e1f3590af2c9d",
    "App.on_stop": "d8e7904b258c93f5",
    "Recovery._resume_streams": "fbe0f747b84c0b27",
    "Fetcher.fetched_records": "e20ce0c8117f12d2",
    "Fetcher.seek_to": "10c45c3c873d9c50",
    "FetchResult.getall": "b638929de3431c67",
    "PartitionRecords._consumer_record": "56c3ee13f914a9d2",
    "PartitionRecords._unpack_records": "047f7fc3f005c220",
    "GroupCoordinator._do_heartbeat": "5628cb32b3d29bf4",
    "GroupCoordinator.ensure_coordinator_known": "4f7b42e9896dfed8",
    "GroupCoordinator.need_rejoin": "40a8e580883b734c",
    "GroupCoordinator.reset_generation": "3cb4a2490077f8cb",
    "Consumer.maybe_wait_for_commit_to_finish": "14281eda99cfc09c",
    "Worker.__init__": "4cb5c59364a6d3bd",
    "Worker._gather_all": "7b46a2c7b57abcaf",
    "Worker._sentinel_task": "3c41d4f6f5c37580",
    "Worker._shutdown_loop": "6bdc5324caa99a9f",
    "AIOKafkaConsumerThread.on_start": "675d03707bbecd3c",
    "AIOKafkaConsumerThread.on_thread_stop": "cdbbe53230d20fb6",
    "GroupCoordinator._maybe_leave_group": "7bc230e3f4dc0222",
    "GroupCoordinator._send_req": "ca4ba17474e11324",
    "HeartbeatRequest.__init__": "284da5b812bdba9f",
    "PartitionAssignor.on_assignment": "63482c10174f442e",
    "GroupCoordinator._heartbeat_routine": "a6c6710b8e4a1a88",
    "GroupCoordinator.ensure_active_group": "44c4b92c3714b2ae",
    "GroupCoordinator._push_error_to_user": "8dce53d5130dcd33",
    "GroupCoordinator.check_errors": "c67ee34a37d994bd",
}


@pytest.mark.parametrize("function", READ, ids=lambda function: function.__qualname__)
def test_the_source_is_the_one_that_was_read(function: Callable[..., Any]):
    assert digest(function) == PINNED[function.__qualname__]


if __name__ == "__main__":
    for each in READ:
        print(f'    "{each.__qualname__}": "{digest(each)}",')
