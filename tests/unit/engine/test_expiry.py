"""What the sweep deletes (docs/state.md): only what no record can find any more."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import DAY, SECOND, App, Configuration
from streams.attribution import forgetting, state, users
from streams.attribution.users import User
from streams.engine.expiry import Rules, forgotten
from streams.engine.expiry_inputs import all_past
from streams.engine.expiry_sweep import AT_ONCE, EVERY, LOOKS, SWEEP_KEY, Pass, Sweep
from streams.engine.holds import device_row
from streams.engine.output import Output
from streams.engine.recovery import Marker
from streams.engine.store import Applied, Store, StoreMemory
from streams.engine.users import user_row
from tests.unit.attribution.timeline import Timeline

T0 = 1_767_225_600_000


def app(name: str, project: str, after: int | None) -> App:
    return App(
        id=name, project=project, platform="android", bundle_id=name, device_key=("google_aid",), forget_after=after
    )


def rules(*apps: App) -> Rules:
    return Rules(Configuration(generation=1, sources=(), apps=apps, partners=(), postbacks=()))


GAME = rules(app("game", "p", 30 * DAY), app("other", "q", None))


def device(appended: int, **more: Any) -> bytes:
    return state.encode(state.Device(appended_s=-(-appended // SECOND), **more))


def user(appended: int, app_id: str = "game") -> bytes:
    return users.encode(User(0, 0, app_id, "d", "r", 0, appended_s=-(-appended // SECOND)))


def gone(stage: Any, row: bytes, before: int, by: Rules = GAME, key: str = "game|a") -> bool:
    name = device_row(key) if stage == "device" else user_row(key)
    return bool([*forgotten(stage, by, [(name, row)], before)])


# What is forgotten


@given(st.integers(T0, T0 + DAY), st.integers(0, 40 * DAY))
def test_a_row_goes_exactly_when_every_record_to_come_would_find_nothing(appended: int, later: int) -> None:
    stored = state.decode(device(appended))
    found_nothing = forgetting.is_forgotten(stored.appended_s, appended + later, 30 * DAY)
    assert gone("device", device(appended), appended + later) == found_nothing
    assert found_nothing == (later > 30 * DAY + -appended % SECOND)


def test_a_device_that_holds_records_stays() -> None:
    held = Timeline(install_grace=DAY)
    held.event("launch", 0)
    assert held.known.held
    of_its_app = rules(app("com.example.game", "p", DAY))
    assert not gone("device", state.encode(held.known), T0 + 900 * DAY, of_its_app, "com.example.game|a")
    held.read_past(2 * DAY)
    assert gone("device", state.encode(held.known), T0 + 900 * DAY, of_its_app, "com.example.game|a")


def test_nothing_goes_of_an_app_that_forgets_nothing_or_is_not_configured() -> None:
    for key in ("other|a", "gone|a", "p|a"):
        assert not gone("device", device(T0), T0 + 9_000 * DAY, key=key)


def test_nothing_goes_that_was_stored_before_append_times_were() -> None:
    assert not gone("device", state.encode(state.Device()), T0 + 9_000 * DAY)
    assert not gone("device", b"\x01" + msgspec.msgpack.encode([]), T0 + 9_000 * DAY)
    shorter = msgspec.msgpack.encode([0, 0, "game", "d", "r", 0, 0])
    assert not gone("user", bytes((users.VERSION,)) + shorter, T0 + 9_000 * DAY, key="p|u")


@pytest.mark.parametrize("row", [b"", b"\x02", b"\x02\xc1", b"\x63\x90", b"\x02\x93\x01\x02\x03"])
def test_a_row_that_cannot_be_read_stays(row: bytes) -> None:
    assert not gone("device", row, T0 + 9_000 * DAY)
    assert not gone("user", row, T0 + 9_000 * DAY, key="p|u")


def test_users_go_by_the_longest_of_their_project_and_only_when_all_its_apps_forget() -> None:
    both = rules(app("a", "p", 30 * DAY), app("b", "p", 60 * DAY))
    assert not gone("user", user(T0), T0 + 31 * DAY, both, "p|u")
    assert gone("user", user(T0), T0 + 61 * DAY, both, "p|u")
    one = rules(app("a", "p", 30 * DAY), app("b", "p", None))
    assert not gone("user", user(T0), T0 + 9_000 * DAY, one, "p|u")
    assert not one.any_of("user")
    assert one.any_of("device")


def test_what_goes_is_counted_under_an_app() -> None:
    of_device = [*forgotten("device", GAME, [(device_row("game|a"), device(T0))], T0 + 31 * DAY)]
    of_user = [*forgotten("user", GAME, [(user_row("p|u"), user(T0, "web"))], T0 + 31 * DAY)]
    assert [one.app_id for one in of_device + of_user] == ["game", "web"]


# The pass


class Noted:
    """A checkpoint that only has to write."""

    def __init__(self, store: Store) -> None:
        self.marker = Marker({})
        self._store = store

    async def note(self, marker: Marker, output: Output) -> None:
        self._store.write(output.puts, Applied(0, 0))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "rows", StoreMemory())
    opened.open()
    yield opened
    opened.close()


def fill(store: Store, old: int, young: int) -> None:
    names = [f"game|{number:05}" for number in range(old + young)]
    random.Random(1).shuffle(names)
    rows = {device_row(name): device(T0 + (0 if at < old else 40 * DAY)) for at, name in enumerate(names)}
    store.write({**rows, b"cx": b"{}", b"h12345678x": b"1", b"m": b"{}"}, Applied(0, 0))


def left(store: Store) -> int:
    return sum(1 for _ in store.rows(b"d"))


async def go_on(sweep: Sweep, store: Store, now: int, rows: int) -> tuple[int, int]:
    """A look, and what follows from it: how many rows were looked at, how many states were deleted."""
    looked = sweep.look(GAME, T0 + 40 * DAY, now, rows)
    done = await sweep.forget(Noted(store)) if sweep.due else None  # type: ignore[arg-type]
    return looked, done.counts["states_forgotten_total", "device", "game"] if done else 0


async def test_a_pass_looks_at_each_row_once_and_deletes_what_is_forgotten(store: Store) -> None:
    fill(store, old=700, young=400)
    sweep, looked, deleted = Sweep("device", store), 0, 0
    while not sweep.rests(T0):
        found = await go_on(sweep, store, T0, 90)
        looked, deleted = looked + found[0], deleted + found[1]
    assert (looked, deleted, left(store)) == (1_100, 700, 400)
    assert {key for key, _ in store.rows(b"")} >= {b"cx", b"h12345678x", b"m"}


async def test_the_next_pass_begins_a_day_after_the_one_before(store: Store) -> None:
    fill(store, old=0, young=10)
    sweep = Sweep("device", store)
    assert await go_on(sweep, store, T0, 100) == (10, 0)
    assert await go_on(sweep, store, T0 + EVERY - 1, 100) == (0, 0)
    assert sweep.rests(T0 + EVERY - 1)
    assert not sweep.rests(T0 + EVERY)
    assert await go_on(sweep, store, T0 + EVERY, 100) == (10, 0)


async def test_a_pass_goes_on_where_it_was_written_down_to_be(store: Store) -> None:
    fill(store, old=AT_ONCE + 20, young=100)
    first = Sweep("device", store)
    looked, deleted = await go_on(first, store, T0, 10_000)
    assert deleted == AT_ONCE
    first.look(GAME, T0 + 40 * DAY, T0, 5)  # found, and lost with the process
    second = Sweep("device", store)
    assert not second.rests(T0)
    assert await go_on(second, store, T0 + SECOND, 10_000) == (AT_ONCE + 120 - looked, 20)
    third = Sweep("device", store)
    assert await go_on(third, store, T0 + 2 * SECOND, 10_000) == (0, 0)
    assert third.rests(T0 + 2 * SECOND)


async def test_a_device_that_is_back_before_it_was_deleted_stays(store: Store) -> None:
    fill(store, old=3, young=0)
    sweep = Sweep("device", store)
    sweep.look(GAME, T0 + 40 * DAY, T0, 100)
    assert sweep.due
    (back, _), *_ = store.rows(b"d")
    store.write({back: device(T0 + 40 * DAY)}, Applied(0, 0))
    done = await sweep.forget(Noted(store))  # type: ignore[arg-type]
    assert done.counts["states_forgotten_total", "device", "game"] == 2
    assert [key for key, _ in store.rows(b"d")] == [back]


async def test_the_few_that_are_found_wait_for_more_but_not_for_ever(store: Store) -> None:
    fill(store, old=1, young=100)
    sweep = Sweep("device", store)
    looks = 0
    while left(store) > 100:
        await go_on(sweep, store, T0, 1)
        looks += 1
    assert LOOKS <= looks <= 101 + LOOKS


@given(st.integers(-(2**53), 2**53), st.none() | st.binary())
def test_a_place_survives(begun: int, behind: bytes | None) -> None:
    assert Pass.decode(Pass(begun, behind).encode()) == Pass(begun, behind)


async def test_the_place_lies_among_the_rows_of_the_engine(store: Store) -> None:
    fill(store, old=1, young=1)
    await go_on(Sweep("device", store), store, T0, 100)
    assert [key for key, _ in store.rows(b"m")] == [b"m", b"m:applied", SWEEP_KEY]


# How far the inputs have been read


@pytest.mark.parametrize(
    ("applied", "first_after", "past"),
    [(5, 5, True), (4, 5, False), (9, 5, True), (-1, 0, True), (-1, 5, False), (-1, 3, True)],
)
def test_all_inputs_are_past_a_time_when_nothing_before_it_is_left(applied: int, first_after: int, past: bool) -> None:
    begins = {("a", 0): 0, ("b", 0): 3 if first_after == 3 else 0}
    assert all_past(begins, {("a", 0): 7, ("b", 0): applied}, {("a", 0): 7, ("b", 0): first_after}) is past
