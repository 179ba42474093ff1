"""The transactional producer, with a client that refuses."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from streams.engine import fate, hanging, tokens
from streams.engine.hanging import Settled
from streams.engine.producer import Fenced, Refused, Row, TransactionalProducer, Trouble, Write, untold
from streams.engine.tokens import Token
from streams.settings import Settings
from tests.support.waiting import eventually


class Message:
    """A record as the client reports it delivered."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return (2, 1_000)


class Brokers:
    """What the brokers say has become of records, and of what hangs, and whom they were asked of."""

    def __init__(self) -> None:
        self.fates: Callable[[fate.Lying], fate.Fate] = lambda record: "there"
        self.settled = Settled()
        self.asked: list[fate.Lying] = []
        self.looked: list[set[tuple[str, int]]] = []

    def of(self, settings: Settings, records: Sequence[fate.Lying], stopped: fate.Stopped) -> dict[Any, Any]:
        self.asked += records
        return {record: self.fates(record) for record in records}

    def settle(self, settings: Settings, who: str, places: Collection[tuple[str, int]], *more: Any) -> Settled:
        self.looked.append(set(places))
        return self.settled


@pytest.fixture(autouse=True)
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    made = Brokers()
    monkeypatch.setattr(fate, "of", made.of)
    monkeypatch.setattr(hanging, "settle", made.settle)
    return made


class SmallQueue:
    """A client whose queue holds two records until it is polled."""

    def __init__(self) -> None:
        self.queued = 0
        self.written: list[Row] = []
        #: What the headers of each record say.
        self.tokens: list[Token | None] = []
        self._reports: list[Callable[[], None]] = []

    def begin_transaction(self) -> None:
        pass

    def produce(
        self, topic: str, value: bytes, key: bytes, partition: int, on_delivery: Any = None, headers: Any = None
    ) -> None:
        if self.queued == 2:
            raise BufferError
        self.queued += 1
        self.written.append((topic, key, value, partition))
        self.tokens.append(tokens.carried(headers))
        if on_delivery:
            offset = len(self.written) - 1
            self._reports.append(lambda: on_delivery(None, Message(offset)))

    def poll(self, timeout: float) -> None:
        self.queued = 0
        reports, self._reports = self._reports, []
        for report in reports:
            report()

    def flush(self, timeout: float) -> int:
        self.poll(timeout)
        return 0

    def commit_transaction(self, timeout: float) -> None:
        pass


def test_a_batch_larger_than_the_clients_queue_is_written_all_the_same() -> None:
    producer = TransactionalProducer(Settings(), "w-device-2")
    producer._producer = client = SmallQueue()  # type: ignore[assignment]
    rows: list[Row] = [("jobs", b"k", b"%d" % number, None) for number in range(5)]
    place = producer.write(rows, ("changelog", b"m", b"{}", None), lambda step: None, 2)
    assert client.written == [*((*row[:3], 2) for row in rows), ("changelog", b"m", b"{}", 2)]
    assert place.offset == 5


def test_a_record_goes_to_the_partition_that_it_asks_for_and_else_to_the_writers_own() -> None:
    producer = TransactionalProducer(Settings(), "w-device-2")
    producer._producer = client = SmallQueue()  # type: ignore[assignment]
    rows: list[Row] = [("users", b"a", b"1", 0), ("jobs", b"b", b"2", None), ("users", b"c", b"3", 7)]
    producer.write(rows, ("changelog", b"m", b"{}", None), lambda step: None, 2)
    assert [(topic, place) for topic, _, _, place in client.written] == [
        ("users", 0),
        ("jobs", 2),
        ("users", 7),
        ("changelog", 2),
    ]


class Failing(SmallQueue):
    """A client whose first commits fail, and whose first abort meets the same failure."""

    def __init__(self, commits: int, aborts: int = 0, error: KafkaError | None = None) -> None:
        super().__init__()
        self.commits, self.aborts, self.aborted = commits, aborts, 0
        self.failure = failure() if error is None else KafkaException(error)

    def commit_transaction(self, timeout: float) -> None:
        if self.commits:
            self.commits -= 1
            raise self.failure

    def abort_transaction(self, timeout: float) -> None:
        if self.aborts:
            self.aborts -= 1
            raise self.failure
        self.aborted += 1
        self._reports.clear()


def failure() -> KafkaException:
    """Messages that could not be delivered in time: the transaction must be aborted."""
    return KafkaException(KafkaError(KafkaError._INCONSISTENT, "1 message(s) failed delivery", False, False, True))


def write(client: Failing, trouble: Trouble = untold) -> None:
    producer = TransactionalProducer(Settings(), "w-device-0", trouble)
    producer._producer = client  # type: ignore[assignment]
    producer.write([("jobs", b"k", b"1", None)], ("changelog", b"m", b"{}", None), lambda step: None)


def test_an_abort_that_meets_the_failure_it_clears_up_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.producer.ABORT_PAUSE_S", 0)
    client = Failing(commits=1, aborts=1)
    told: list[str] = []
    write(client, told.append)
    assert client.aborted == 1
    assert told == ["transaction", "abort"]


def test_brokers_that_are_away_are_waited_for_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.engine.producer.REFUSED_S", 0)  # every failure took its time
    client = Failing(commits=20)
    write(client)
    assert client.aborted == 20


def test_a_transaction_that_is_refused_again_and_again_ends_it() -> None:
    with pytest.raises(Refused, match="_INCONSISTENT"):
        write(Failing(commits=20))


def test_one_that_may_not_write_any_more_is_told_at_once() -> None:
    client = Failing(commits=1, error=KafkaError(KafkaError._FENCED, "a newer one", True, False, False))
    with pytest.raises(Fenced, match="_FENCED"):
        write(client)
    assert client.aborted == 0


class Slow(SmallQueue):
    """A client that finds no coordinator at first: its calls come back, and what has become of them is open."""

    def __init__(self, starts: int = 0, commits: int = 0) -> None:
        super().__init__()
        self.starts, self.commits = starts, commits

    def init_transactions(self, timeout: float) -> None:
        self.starts -= 1
        if self.starts >= 0:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no coordinator", False, True, False))

    def commit_transaction(self, timeout: float) -> None:
        self.commits -= 1
        if self.commits >= 0:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer", False, True, False))


def slow(client: Slow, told: list[str]) -> TransactionalProducer:
    producer = TransactionalProducer(Settings(), "w-device-0", told.append)
    producer._producer = client  # type: ignore[assignment]
    return producer


def test_a_commit_that_was_not_answered_is_asked_for_again_and_written_once() -> None:
    told: list[str] = []
    client = Slow(commits=2)
    slow(client, told).write([("jobs", b"k", b"1", None)], ("changelog", b"m", b"{}", None), lambda step: None)
    assert len(client.written) == 2
    assert told == ["commit", "commit"]


def test_a_partition_that_is_opened_waits_for_the_coordinator_until_it_is_closed() -> None:
    told: list[str] = []
    slow(Slow(starts=2), told).start(lambda: False)
    assert told == ["start", "start"]
    with pytest.raises(KafkaException):
        slow(Slow(starts=2), told).start(lambda: True)


def two_writes(client: Failing) -> None:
    """One that is committed, and one whose first try is given up."""
    producer = TransactionalProducer(Settings(), "w-device-0")
    producer._producer = client  # type: ignore[assignment]
    for commits in (0, 1):
        client.commits = commits
        producer.write([("jobs", b"k", b"1", None)], ("changelog", b"m", b"{}", None), lambda step: None)


def test_after_an_abort_what_was_committed_before_is_looked_for(brokers: Brokers) -> None:
    client = Failing(commits=0)
    two_writes(client)
    assert client.aborted == 1
    assert brokers.asked == [("changelog", 0, 1)]
    assert brokers.looked == [{("jobs", 0), ("changelog", 0)}], "and what hangs of it, wherever it wrote"


def test_when_something_is_rolled_back_that_hung_a_recovery_must_put_it_right(brokers: Brokers) -> None:
    brokers.settled = Settled(frozenset({("changelog", 0)}))
    with pytest.raises(Fenced, match="rolled back"):
        two_writes(Failing(commits=0))


@pytest.mark.parametrize("found", ["undone", "open", "gone"])
def test_what_was_rolled_back_with_an_abort_ends_the_producer(brokers: Brokers, found: fate.Fate) -> None:
    brokers.fates = lambda record: found
    with pytest.raises(Fenced, match=found):
        two_writes(Failing(commits=0))


def group(producer: TransactionalProducer, *partitions: int) -> list[int]:
    """One transaction with something for each of these; where their last records lie."""
    row: Row = ("jobs", b"k", b"1", None)
    writes = [Write(number, [row], ("changelog", b"m", b"{}", None), lambda step: None) for number in partitions]
    return [place.offset for place in producer.write_all(writes)]


def test_what_several_partitions_have_is_in_one_transaction_and_each_learns_where_its_own_lies() -> None:
    producer = TransactionalProducer(Settings(), "w-1")
    producer._producer = client = SmallQueue()  # type: ignore[assignment]
    assert group(producer, 3, 1) == [1, 3]
    assert [(topic, place) for topic, _, _, place in client.written] == [
        ("jobs", 3),
        ("changelog", 3),
        ("jobs", 1),
        ("changelog", 1),
    ]


def test_after_an_abort_the_whole_transaction_before_is_looked_for(brokers: Brokers) -> None:
    """Of its partitions the one that was aborted may have had only some."""
    producer = TransactionalProducer(Settings(), "w-1")
    producer._producer = client = Failing(commits=0)  # type: ignore[assignment]
    group(producer, 0)
    group(producer, 1, 2)
    client.commits = 1
    group(producer, 2, 3)
    assert [(record.partition, record.offset) for record in brokers.asked] == [(2, 5), (1, 3)]


class Leaving(Failing):
    """A client that is told of a broker that went away while the records of a transaction are on their way."""

    def __init__(self, producer: TransactionalProducer, at: int) -> None:
        super().__init__(commits=0)
        self._producer, self._flushes = producer, at
        self.committed = 0

    def flush(self, timeout: float) -> int:
        self._flushes -= 1
        if not self._flushes:
            self._producer._departures(KafkaError(KafkaError._TRANSPORT, "gone"))
        return super().flush(timeout)

    def commit_transaction(self, timeout: float) -> None:
        self.committed += 1


@pytest.mark.parametrize("found", ["there", "open"])
def test_when_a_broker_went_away_the_transaction_before_must_be_there_before_the_next_is_committed(
    brokers: Brokers, found: fate.Fate
) -> None:
    """What hangs of it would be ended by the next one in those partitions only that both have."""
    brokers.fates = lambda record: found
    producer = TransactionalProducer(Settings(), "w-1")
    producer._producer = client = Leaving(producer, 2)  # type: ignore[assignment]
    group(producer, 0, 1)
    if found == "there":
        group(producer, 1)
        assert (client.committed, client.aborted) == (2, 0)
        assert [record.partition for record in brokers.asked] == [0, 1]
        assert not brokers.looked, "within the next one nothing can be ended"
        group(producer, 1)
        assert brokers.looked == [{(topic, number) for topic in ("jobs", "changelog") for number in (0, 1)}]
        group(producer, 1)
        assert len(brokers.looked) == 1, "once"
    else:
        with pytest.raises(Fenced, match="open"):
            group(producer, 1)
        assert (client.committed, client.aborted) == (1, 1)


def test_when_nothing_more_is_written_that_is_looked_for_all_the_same(brokers: Brokers) -> None:
    brokers.fates = lambda record: "open"
    producer = TransactionalProducer(Settings(), "w-1")
    producer._producer = Leaving(producer, 0)  # type: ignore[assignment]
    group(producer, 0)
    producer.make_sure_when_shaken()
    producer._departures(KafkaError(KafkaError._TRANSPORT, "gone"))
    with pytest.raises(Fenced, match="open"):
        producer.make_sure_when_shaken()


def test_where_some_of_a_transaction_is_there_what_hangs_of_it_is_not_rolled_back(brokers: Brokers) -> None:
    """It was committed."""
    brokers.fates = lambda record: "there" if record.partition else "open"
    producer = TransactionalProducer(Settings(), "w-1")
    producer._producer = client = Leaving(producer, 2)  # type: ignore[assignment]
    group(producer, 0, 1)
    group(producer, 1)
    assert (client.committed, client.aborted) == (2, 0)


def test_within_a_transaction_it_is_given_up_in_time_to_learn_what_became_of_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has ten seconds itself."""
    monkeypatch.setattr("streams.engine.producer.FIRM_S", 0.05)

    def look(settings: Settings, records: Any, stopped: fate.Stopped) -> Any:
        eventually(stopped, within=5, what="it is told to stop")
        raise KafkaException(KafkaError(KafkaError._FAIL, "stopped"))

    monkeypatch.setattr(fate, "of", look)
    producer = TransactionalProducer(Settings(), "w-1")
    producer._producer = client = Leaving(producer, 2)  # type: ignore[assignment]
    group(producer, 0)
    with pytest.raises(Fenced, match="in time"):
        group(producer, 0)
    assert (client.committed, client.aborted) == (1, 1)


def test_the_first_record_in_each_partition_says_which_transaction_it_is_of() -> None:
    producer = TransactionalProducer(Settings(), "w-1")
    producer._producer = client = Failing(commits=0)  # type: ignore[assignment]
    row: Row = ("jobs", b"k", b"1", None)
    users: Row = ("users", b"u", b"1", 7)
    last: Row = ("changelog", b"m", b"{}", None)
    producer.write_all([Write(number, [row, users, row, users], last, lambda step: None) for number in (3, 1)])
    first = client.tokens[0]
    assert first is not None
    assert (first.by, first.ends) == ("w-1", (("changelog", 1), ("changelog", 3)))
    assert client.tokens == [first, first, None, None, first, first, None, None, None, first]
    producer.write([row], last, lambda step: None)
    client.commits = 1
    producer.write([row], last, lambda step: None)
    numbers = [token.number for token in client.tokens if token is not None]
    assert len(set(numbers)) == 4, "each try is another one: one is committed, the other is not"


def test_one_that_is_let_go_of_is_gone_at_once() -> None:
    """Its client has threads and connections."""
    producer = TransactionalProducer(Settings(), "w-1")
    gone = weakref.ref(producer)
    del producer
    assert gone() is None


def test_when_a_broker_goes_away_all_is_looked_at_that_was_written_lately(brokers: Brokers) -> None:
    """More may be committed before the client hears of it."""
    producer = TransactionalProducer(Settings(), "w-1")
    producer._producer = SmallQueue()  # type: ignore[assignment]
    group(producer, 3, 1)
    group(producer, 2)
    producer._departures.seen = True
    producer.make_sure_when_shaken()
    assert brokers.looked == [{(topic, number) for topic in ("jobs", "changelog") for number in (1, 2, 3)}]
