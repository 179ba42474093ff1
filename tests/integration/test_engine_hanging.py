"""What a broker has not ended is ended as the rest of its transaction was, whoever finds it, and wherever it hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from streams.engine import fate, hanging, markers
from streams.engine.owners import Owners
from streams.engine.stages import Unit, changelog_topic
from streams.settings import Settings
from tests.support import owning
from tests.support.hanging import gullible, hang, roll_back, write
from tests.support.topics import create_topics, read_topic

UNITS = [Unit("device", 0), Unit("device", 1)]


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker in which transactions can be left hanging."""
    with gullible(tmp_path_factory.mktemp("gullible")) as broker:
        yield broker.bootstrap


@pytest.fixture
def bootstrap(hung: str) -> str:
    return hung


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is open hangs sooner: it is looked for often here."""
    monkeypatch.setattr(fate, "OPEN_S", 0.5)


class Bench:
    """Two partitions of a stage, which a process had, and the topic that both write to."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.bootstrap = settings, settings.bootstrap_servers
        self.before = f"{settings.worker_id}-before"
        self.changelog, users = changelog_topic(settings), f"{settings.topic_prefix}users"
        self.logs = [(self.changelog, 0), (self.changelog, 1)]
        self.users = [(users, 0), (users, 1)]
        create_topics(self.bootstrap, {self.changelog: 2}, {"message.timestamp.type": "LogAppendTime"})
        create_topics(self.bootstrap, {users: 2})
        owning.ensure_owners(settings)
        self.owners = owning.owners(settings)
        for unit in UNITS:
            owning.owning(settings, unit, self.before, self.owners)

    def hang(
        self, hanging: list[tuple[str, int]], committed: list[tuple[str, int]], name: str = "", ago_s: float = 0
    ) -> None:
        """Of a transaction of both partitions these records hang, and these are committed. `ago_s`: how long ago it
        was, as the writer's clock had it.
        """
        rows = {place: [(b"k", b"hung"), (b"l", b"hung")] for place in hanging}
        rest = {place: [(b"k", b"committed")] for place in committed}
        hang(self.bootstrap, name or self.before, rows, rest, self.logs, int((time.time() - ago_s) * 1000))

    def take(self, number: int, among: Owners | None = None) -> None:
        """Another process takes over, and reads the state back; each time the same one, unless it is said which."""
        ownership = owning.ownership(self.settings, UNITS[number], reach=self.users, among=among or self.owners)
        ownership.take(fate.never)
        ownership.settle(fate.never)

    def values(self, place: tuple[str, int]) -> list[bytes | None]:
        """What committed readers see in a partition, which nothing hides from them."""
        assert not hanging.stuck(self.settings, [place])
        return [one.value for one in read_topic(self.bootstrap, place[0]) if one.partition == place[1] and one.value]

    def claims(self, number: int) -> int:
        return len(owning.claimants(self.settings, UNITS[number]))


@pytest.fixture
def bench(settings: Settings) -> Bench:
    return Bench(settings)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_one_partitions_changelog_has_is_committed_in_all(bench: Bench, order: tuple[int, int]) -> None:
    """Faults S4: a transaction of two partitions, which are taken over one after the other."""
    bench.hang([bench.logs[0], bench.users[1]], [bench.logs[1], bench.users[0]])
    for number in order:
        bench.take(number)
    assert bench.values(bench.logs[0]) == [b"hung", b"hung"]
    assert bench.values(bench.users[1]) == [b"hung", b"hung"]
    assert bench.values(bench.logs[1]) == bench.values(bench.users[0]) == [b"committed"]


def test_two_that_take_over_at_once_end_it_alike(bench: Bench) -> None:
    """Each under the same id, which it fences off."""
    bench.hang([bench.logs[0], *bench.users], [bench.logs[1]])
    both = [threading.Thread(target=bench.take, args=(number, owning.owners(bench.settings))) for number in (0, 1)]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
        assert not one.is_alive()
    for place in (bench.logs[0], *bench.users):
        assert bench.values(place) == [b"hung", b"hung"]


@pytest.mark.parametrize("number", [0, 1])
def test_what_no_changelog_has_is_rolled_back_in_all(bench: Bench, number: int) -> None:
    bench.hang([*bench.logs, bench.users[1]], [])
    bench.take(number)
    bench.take(1 - number)
    assert not any(bench.values(place) for place in (*bench.logs, *bench.users))


def test_what_hangs_in_another_topic_only_ends_as_the_changelog_says(bench: Bench) -> None:
    bench.hang([bench.users[0]], bench.logs)
    roll_back(bench.bootstrap, bench.before, bench.changelog, 0, [(b"k", b"undone")])
    bench.hang([bench.users[1]], [])
    bench.take(0)
    assert bench.values(bench.users[0]) == [b"hung", b"hung"]
    assert bench.values(bench.users[1]) == []


@pytest.mark.parametrize("ago_s", [-3600, 3600])
def test_the_clock_of_the_worker_that_wrote_it_decides_nothing(bench: Bench, ago_s: float) -> None:
    """Faults S15: topics other than changelogs have the times of workers."""
    bench.hang([bench.users[0]], bench.logs, ago_s=ago_s)
    bench.take(0)
    assert bench.values(bench.users[0]) == [b"hung", b"hung"]


@pytest.mark.parametrize("ago_s", [-3600, 3600])
def test_what_changelogs_have_nothing_of_any_more_is_left(bench: Bench, ago_s: float) -> None:
    """They may have had it as committed, and have been compacted. That it is new cannot be said by that clock."""
    bench.hang([bench.users[0]], [], ago_s=ago_s)
    bench.take(0)
    assert hanging.stuck(bench.settings, bench.users) == [bench.users[0]]
    assert bench.claims(0) == 2


def test_what_hangs_of_another_process_is_left_to_whoever_takes_over_from_it(bench: Bench) -> None:
    """It may have a transaction under way: nobody has fenced it off."""
    owning.owning(bench.settings, UNITS[1], "another", bench.owners)
    bench.hang([bench.users[1]], [bench.logs[1]], "another")
    bench.take(0)
    assert hanging.stuck(bench.settings, bench.users) == [bench.users[1]]
    bench.take(1)
    assert bench.values(bench.users[1]) == [b"hung", b"hung"]


def test_claims_stand_until_nothing_hangs_any_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be ended now must be found by the next one: its id is never used again."""

    def refuse(*_: Any) -> None:
        raise markers.Refused("no right")

    bench.hang([bench.users[1]], bench.logs)
    with monkeypatch.context() as refusing:
        refusing.setattr(markers, "commit", refuse)
        bench.take(0)
    assert hanging.stuck(bench.settings, bench.users) == [bench.users[1]]
    assert bench.claims(0) == 2
    bench.take(0)
    assert bench.values(bench.users[1]) == [b"hung", b"hung"]
    assert bench.claims(0) == 1


def test_what_may_not_be_looked_at_keeps_the_claims(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.hang([bench.users[1]], bench.logs)
    with monkeypatch.context() as unseeing:
        unseeing.setattr(markers, "open_in", lambda settings, places: {})
        bench.take(0)
    assert bench.claims(0) == 2


def test_brokers_that_are_away_are_asked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.hang([bench.logs[0]], [bench.logs[1]])
    for name in ("open_in", "commit"):
        asked = [getattr(markers, name)]

        def first_away(*arguments: Any, ask: Any = asked[0], left: list[int] = [1, 2]) -> Any:  # noqa: B006
            if left:
                left.pop()
                raise markers.Away("no leader")
            return ask(*arguments)

        monkeypatch.setattr(markers, name, first_away)
    bench.take(0)
    assert bench.values(bench.logs[0]) == [b"hung", b"hung"]


def test_an_open_transaction_of_another_process_does_not_hold_up_whoever_takes_over(bench: Bench) -> None:
    """Where many write, one is open at nearly any moment."""
    open_one = write(bench.bootstrap, "another", {bench.users[0]: [(b"k", b"open")]})
    looks = [False, False]

    def stopped() -> bool:
        """Is asked each time that it is looked at."""
        if looks:
            looks.pop()
        elif open_ones:
            open_ones.pop().commit_transaction(30)
        return False

    open_ones = [open_one]
    assert hanging.stuck(bench.settings, bench.users, stopped) == []
    assert not open_ones


def test_many_fates_are_asked_for_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fate, "OPEN_S", 1.5)
    bench.hang([*bench.logs, *bench.users], [])
    places = [fate.Lying(*place, 1) for place in (*bench.logs, *bench.users)]
    begun = time.monotonic()
    assert set(fate.of(bench.settings, places).values()) == {"open"}
    assert time.monotonic() - begun < 2.5 * fate.OPEN_S, "one after the other it would be four times that"
