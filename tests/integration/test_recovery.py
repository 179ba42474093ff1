"""State is read back from the changelog: all of it, or what a process does not have yet, and whatever interrupts it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, OffsetSpec, ResourceType

from streams.engine.changelog import CHUNK
from streams.engine.faults import FaultPoints
from streams.engine.owners import Claim
from streams.engine.producer import BarrierProducer, Fenced, Place, TransactionalProducer
from streams.engine.recovery import MARKER_KEY, Abandoned, Marker, Recovered, Recovery
from streams.engine.stages import Stage, Unit, changelog_topic, owners_topic
from streams.engine.store import TOMBSTONES_KEPT_MS, Applied, Store, StoreMemory
from streams.errors import Stop
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.support import fenced_off, owning
from tests.support.fixtures import MakeSettings
from tests.support.topics import create_topics, read_topic
from tests.support.waiting import eventually

ROWS = 3 * CHUNK
UNIT = Unit("device", 0)
MARKER = Marker({"events": ROWS})


class Observed(BarrierProducer):
    """Something happens right behind its barriers."""

    def __init__(self, settings: Settings, behind: Callable[[], None]) -> None:
        super().__init__(settings)
        self._behind = behind

    def write(self, *arguments: Any) -> Place:
        place = super().write(*arguments)
        self._behind()
        return place


class Bench:
    """A changelog of one partition, and the recoveries of a store in a folder."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.topic = settings, changelog_topic(settings)
        self.store = Store(folder / "store", StoreMemory())
        create_topics(settings.bootstrap_servers, {self.topic: 1}, {"message.timestamp.type": "LogAppendTime"})
        owning.ensure_owners(settings)
        self.stage = Stage("device", (), 1, self.topic, cast(Any, None))
        self.stopped = False
        self.recovery: Recovery | None = None

    def write(self, rows: Iterator[tuple[bytes, bytes | None]]) -> None:
        """To the changelog, with the marker behind them."""
        producer = Producer({"bootstrap.servers": self.settings.bootstrap_servers, "linger.ms": 20})
        for key, row in (*rows, (MARKER_KEY, MARKER.encode())):
            producer.produce(self.topic, row, key, 0)
        producer.flush()

    def recover(self, stop_after: int = 1 << 62, behind_barrier: Callable[[], None] = lambda: None) -> Recovered:
        """As a partition does that is assigned, and closed when so many offsets have been read."""
        ownership, barriers = owning.ownership(self.settings, UNIT), Observed(self.settings, behind_barrier)

        def stopped() -> bool:
            way = recovery.remaining
            return way is not None and way.at - way.start >= stop_after

        recovery = Recovery(self.settings, UNIT, self.stage, self.store, ownership, barriers, stopped, FaultPoints())
        self.recovery = recovery
        self.store.open()
        try:
            recovery.fence()
            return recovery.read()
        finally:
            if stop_after < 1 << 62:
                self.store.close()


@pytest.fixture
def bench(settings: Settings, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(settings, tmp_path)
    yield made
    made.store.close()


def test_the_newest_row_of_each_key_is_there_and_deleted_ones_are_not(bench: Bench) -> None:
    bench.write((b"d%d" % (number % 1_000), b"%d" % number) for number in range(ROWS))
    bench.write(iter([(b"d7", None)]))
    found = bench.recover()
    assert (found.marker, found.records) == (MARKER, ROWS + 4)  # two markers, the row deleted, the barrier
    newest = {b"d%d" % (number % 1_000): b"%d" % number for number in range(ROWS)} | {b"d7": None}
    assert dict(zip(newest, bench.store.read(list(newest)), strict=True)) == newest
    assert bench.recovery is not None
    assert bench.recovery.remaining is not None
    assert bench.recovery.remaining.left == 0
    bench.store.close()
    bench.write(iter([(b"d8", b"new")]))
    assert bench.recover().records == 3, "only the tail is read again: a row, its marker, the barrier"
    assert bench.store.read([b"d8", b"d9"]) == [b"new", newest[b"d9"]]


def test_one_that_was_interrupted_goes_on_where_it_was(bench: Bench) -> None:
    bench.write((b"d%d" % number, b"x") for number in range(ROWS))
    with pytest.raises(Abandoned):
        bench.recover(stop_after=1)
    found = bench.recover()
    assert found.marker == MARKER
    assert 0 < found.records < ROWS
    assert len(list(bench.store.rows(b"d"))) == ROWS


def test_a_writer_that_has_been_replaced_adds_nothing_behind_what_is_read(bench: Bench) -> None:
    """Faults S16."""
    zombie = owning.owning(bench.settings, UNIT, "zombie")
    last = (bench.topic, MARKER_KEY, MARKER.encode(), None)
    zombie.write([(bench.topic, b"d1", b"in time", None)], last, lambda step: None)
    said: list[str] = []

    def wake() -> None:
        try:
            zombie.write([(bench.topic, b"d1", b"too late", None)], last, lambda step: None)
        except Fenced as error:
            said.append(str(error))

    assert bench.recover(behind_barrier=wake).marker == MARKER
    assert len(said) == 1, "it was not told"
    assert bench.store.read([b"d1"]) == [b"in time"]
    committed = read_topic(bench.settings.bootstrap_servers, bench.topic)
    assert [record.value for record in committed if record.key == b"d1"] == [b"in time"]


def test_of_two_that_open_a_partition_at_once_one_may_write(bench: Bench) -> None:
    """Faults S16: each has claimed the partition, and each has been told to go on; who claimed later fences the other
    one off.
    """
    bench.write(iter([]))
    last = (bench.topic, MARKER_KEY, MARKER.encode(), None)
    earlier = owning.owning(bench.settings, UNIT, "earlier")
    later = owning.owning(bench.settings, UNIT, "later")
    with pytest.raises(Fenced):
        earlier.write([], last, lambda step: None)
    assert later.write([], last, lambda step: None).offset > 0


def test_an_id_is_fenced_off_before_it_has_claimed_when_it_began_before(bench: Bench) -> None:
    """A process that stood still between its beginning and its claim finds who came meanwhile, and fences it off: who
    counts is who claimed last.
    """
    late = TransactionalProducer(bench.settings, "late")
    late.start(lambda: False)
    current = owning.owning(bench.settings, UNIT, "current")
    last = (bench.topic, MARKER_KEY, MARKER.encode(), None)
    current.write([], last, lambda step: None)
    owning.ownership(bench.settings, UNIT, "late").take(lambda: False)
    with pytest.raises(Fenced):
        current.write([], last, lambda step: None)
    late.write([], last, lambda step: None)


def test_claims_are_forgotten_when_who_made_them_cannot_write_and_the_state_is_read(bench: Bench) -> None:
    for name in ("a", "b"):
        owning.owning(bench.settings, UNIT, name)
    standing = owning.owners(bench.settings)
    assert standing.claim(Claim(UNIT, "c"), lambda: False) == ["a", "b"]
    bench.recover()
    assert len(standing.claim(Claim(UNIT, "c"), lambda: False)) == 1, "the one that has the partition now"
    assert len(owning.owners(bench.settings).claim(Claim(UNIT, "c"), lambda: False)) == 1


#: In the topic made anew: fewer claims than were read of the old one, one at the place of the last, more than that.
@pytest.mark.parametrize("later", ["d", "de", "defg"])
def test_a_topic_of_claims_that_was_made_anew_is_read_from_its_beginning(
    bench: Bench, later: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that goes on reading where it was would not find all that it is to fence off. Those of the old topic
    write all the same.
    """
    standing, other = owning.owners(bench.settings), Unit("device", 1)
    standing.claim(Claim(other, "b"), lambda: False)
    for name in ("a", "c"):
        standing.claim(Claim(UNIT, name), lambda: False)
    admin = AdminClient({"bootstrap.servers": bench.settings.bootstrap_servers})
    topic = owners_topic(bench.settings)
    admin.delete_topics([topic])[topic].result(20)
    eventually(lambda: topic not in admin.list_topics(timeout=10).topics)
    owning.ensure_owners(bench.settings)
    for number, name in enumerate(later):
        assert owning.owners(bench.settings).claim(Claim(UNIT, name), lambda: False) == list(later[:number])
    assert standing.claim(Claim(UNIT, "z"), lambda: False) == ["a", "c", *later]
    assert "was made anew: it is read from its beginning" in caplog.text
    assert standing.claim(Claim(other, "z"), lambda: False) == ["b"]
    assert caplog.text.count("was made anew") == 1


def test_of_claims_that_were_compacted_away_nobody_is_fenced_off(
    make_settings: MakeSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The last record that a process has read may be one of them: that is no topic made anew."""
    with EmbeddedBroker(tmp_path / "kafka", extra={"log.cleaner.backoff.ms": "100"}) as own:
        settings = make_settings(bootstrap_servers=own.bootstrap)
        owning.ensure_owners(settings)
        compact_eagerly(settings)
        standing, others, other = owning.owners(settings), owning.owners(settings), Unit("device", 1)
        standing.claim(Claim(UNIT, "a"), lambda: False)
        assert others.claim(Claim(UNIT, "b"), lambda: False) == ["a"]
        others.withdraw([Claim(UNIT, "a")], lambda: False)

        def compacted() -> bool:
            # What lies in the segment that is written to is never compacted.
            others.claim(Claim(other, "later"), lambda: False)
            return all(record.offset > 0 for record in read_topic(own.bootstrap, owners_topic(settings)))

        eventually(compacted, within=60, every=0.5)
        assert standing.claim(Claim(UNIT, "c"), lambda: False) == ["b"]
        assert standing.claim(Claim(other, "c"), lambda: False) == ["later"]
    assert "made anew" not in caplog.text


def compact_eagerly(settings: Settings) -> None:
    """As many segments as may be, and no mercy with any."""
    eager = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"}
    given = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in eager.items()]
    topic = ConfigResource(ResourceType.TOPIC, owners_topic(settings), incremental_configs=given)
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    admin.incremental_alter_configs([topic])[topic].result(20)


def test_a_barrier_that_is_not_there_any_more_was_reached_when_something_behind_it_is(bench: Bench) -> None:
    """Another barrier came behind it, and the topic was compacted, while the state was read."""
    bench.write((b"d%d" % number, b"x") for number in range(10))
    place = TopicPartition(bench.topic, 0)

    def lose() -> None:
        bench.write(iter([(b"behind", b"x")]))
        admin = AdminClient({"bootstrap.servers": bench.settings.bootstrap_servers})
        # As compaction does with the barrier; what lies before it goes too, which is nothing to this test.
        ends = admin.list_offsets({place: OffsetSpec.latest()})  # type: ignore[no-untyped-call]
        behind = TopicPartition(bench.topic, 0, ends[place].result(20).offset - 2)
        admin.delete_records([behind])[behind].result(20)

    assert bench.recover(behind_barrier=lose).records == 0


def leave_behind(bench: Bench, rows: dict[bytes, bytes | None], applied: Applied) -> None:
    """A state directory from before."""
    bench.store.open()
    bench.store.write(rows, applied)
    bench.store.close()


@pytest.mark.parametrize("spare", [60_000, -60_000])
def test_a_state_that_was_away_for_longer_than_deletions_are_remembered_is_built_anew(bench: Bench, spare: int) -> None:
    """The changelog may have forgotten a deletion by then, and the row would stay for ever."""
    bench.write((b"d%d" % number, b"x") for number in range(3))
    then = int(time.time() * 1000) - TOMBSTONES_KEPT_MS // 2 + spare
    leave_behind(bench, {b"d0": b"x", b"deleted": b"x"}, Applied(1, then))
    bench.recover()
    kept = [b"deleted"] if spare > 0 else []
    assert [key for key, _ in bench.store.rows(b"d")] == [b"d0", b"d1", b"d2", *kept]


def test_a_state_that_is_ahead_of_its_changelog_is_refused_with_the_remedy(bench: Bench) -> None:
    """Of another cluster, or of a topic that was recreated."""
    bench.write((b"d%d" % number, b"x") for number in range(3))
    leave_behind(bench, {b"d0": b"another"}, Applied(1_000, int(time.time() * 1000)))
    with pytest.raises(Stop, match="is ahead of its changelog") as refused:
        bench.recover()
    assert "remove the state directory" in str(refused.value)


@pytest.mark.parametrize(
    ("count", "policy", "remedy"), [(2, "compact", "delete it"), (1, "delete", "--add-config cleanup.policy=compact")]
)
def test_claims_that_would_have_no_order_or_be_deleted_are_refused(
    settings: Settings, count: int, policy: str, remedy: str
) -> None:
    create_topics(settings.bootstrap_servers, {owners_topic(settings): count}, {"cleanup.policy": policy})
    with pytest.raises(Stop, match="expected") as refused:
        owning.ensure_owners(settings)
    assert remedy in str(refused.value)


def test_who_is_fenced_off_with_requests_under_way_is_told_so_and_lets_go_of_its_client(
    bootstrap: str, prefix: str
) -> None:
    """librdkafka frees a text twice when such a client is dropped before its requests are answered, and the logger of
    one that is flushed for longer fails: the process ended with SIGABRT, or with an error that says nothing.
    """
    topic = f"{prefix}fenced"
    create_topics(bootstrap, {topic: fenced_off.PARTITIONS})
    run = subprocess.run(
        [sys.executable, "-m", fenced_off.__name__, bootstrap, topic],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2_000:]
    assert run.stdout.split() == ["Fenced"] * fenced_off.ROUNDS
