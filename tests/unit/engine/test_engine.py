"""What reaches the engine while it runs: a task that fails, a new generation of the configuration, a fence, its end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest

from schemas.config import Configuration, Source
from streams.engine import exits
from streams.engine.stages import Processors, Unit
from streams.engine.worker import Engine
from streams.errors import Stop
from streams.settings import Settings
from tests.support.waiting import all_wait


async def test_a_task_that_fails_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append(number))
    engine = Engine(Settings(state_dir=tmp_path), processors=None, follow=None)  # type: ignore[arg-type]

    async def fails() -> None:
        raise ValueError("unforeseen")

    engine._start(fails())
    for _ in range(3):
        await asyncio.sleep(0)
    assert signals == [signal.SIGTERM]
    assert engine.exit_status == exits.CHECKPOINT_FAILED


async def test_a_task_that_is_cancelled_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "kill", lambda pid, number: pytest.fail("nothing has failed"))
    engine = Engine(Settings(state_dir=tmp_path), processors=None, follow=None)  # type: ignore[arg-type]
    engine._start(asyncio.sleep(60))
    (task,) = engine._background
    task.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert engine.exit_status == 0


EVENTS = (Source(topic="events", record="event"),)


def generation(number: int, sources: tuple[Source, ...] = EVENTS) -> Configuration:
    return Configuration(generation=number, sources=sources, apps=(), partners=(), postbacks=())


class Processor:
    """Takes every generation but those that are unusable."""

    def __init__(self, *unusable: int) -> None:
        self.unusable = unusable
        self.in_force = 0

    def configure(self, configuration: Configuration) -> None:
        if configuration.generation in self.unusable:
            raise ValueError("unusable")
        self.in_force = configuration.generation


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the engine sends to its own process."""
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number))
    return sent


def running(folder: Path, processor: Processor, user: Processor | None = None) -> Engine:
    """An engine that works by generation 1."""
    processors = Processors(cast(Any, processor), cast(Any, user or Processor()))
    engine = Engine(Settings(state_dir=folder), processors=processors, follow=cast(Any, None))
    engine.sources = EVENTS
    engine._begin_with(generation(1))
    engine._shared = cast(Any, object())
    return engine


def metric(engine: Engine, name: str) -> float | None:
    return engine.readings.metrics.registry.get_sample_value(f"ringback_{name}")


def test_a_new_generation_is_taken_over(tmp_path: Path, signals: list[int]) -> None:
    processor = Processor()
    engine = running(tmp_path, processor)
    engine._on_configuration(generation(2))
    assert (processor.in_force, metric(engine, "config_generation"), signals) == (2, 2, [])


def test_an_unusable_generation_leaves_the_last_good_one(tmp_path: Path, signals: list[int]) -> None:
    processor = Processor(2)
    engine = running(tmp_path, processor)
    engine._on_configuration(generation(2))
    assert (processor.in_force, metric(engine, "config_generation"), signals) == (1, 1, [])
    assert metric(engine, "config_errors_total") == 1


@pytest.mark.parametrize("refuses", ["device", "user"])
def test_a_generation_that_one_stage_refuses_is_taken_by_neither(
    tmp_path: Path, signals: list[int], refuses: str
) -> None:
    device, user = Processor(*[2] * (refuses == "device")), Processor(*[2] * (refuses == "user"))
    engine = running(tmp_path, device, user)
    engine._on_configuration(generation(2))
    assert (device.in_force, user.in_force, metric(engine, "config_generation"), signals) == (1, 1, 1, [])
    assert metric(engine, "config_errors_total") == 1
    engine._on_configuration(generation(3))
    assert (device.in_force, user.in_force) == (3, 3)


def test_changed_sources_end_the_worker_for_a_restart(tmp_path: Path, signals: list[int]) -> None:
    processor, user = Processor(), Processor()
    engine = running(tmp_path, processor, user)
    engine._on_configuration(generation(2, ()))
    assert (engine.exit_status, signals) == (exits.RESTART, [signal.SIGTERM])
    assert (processor.in_force, user.in_force) == (1, 1), "what is still read is read as it was"


def test_an_unusable_generation_with_other_sources_does_not_end_it(tmp_path: Path, signals: list[int]) -> None:
    engine = running(tmp_path, Processor(2))
    engine._on_configuration(generation(2, ()))
    assert (engine.exit_status, signals) == (0, [])
    assert metric(engine, "config_errors_total") == 1


def test_a_worker_that_begins_with_an_unusable_generation_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"generation 1 .*unusable"):
        running(tmp_path, Processor(1))


class Ended(BaseException):
    """In place of the process's end."""


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """With which status the process has ended at once."""
    statuses: list[int] = []

    def die(status: int, message: str, error: object = None) -> NoReturn:
        statuses.append(status)
        raise Ended

    monkeypatch.setattr(exits, "die", die)
    return statuses


class Held:
    """A partition whose batch is under way until `done`."""

    def __init__(self) -> None:
        self.unit = Unit("device", 0)
        self.busy = True
        self.done = asyncio.Event()
        self.stored = False

    async def close(self) -> None:
        await self.done.wait()

    def close_store(self) -> None:
        assert self.done.is_set()
        self.stored = True


def holding(folder: Path, grace: int) -> tuple[Engine, Held]:
    """An engine with one such partition; `grace` in ms."""
    engine = Engine(Settings(state_dir=folder, grace=grace), processors=cast(Any, None), follow=cast(Any, None))
    held = Held()
    engine.partitions[held.unit] = cast(Any, held)
    return engine, held


async def test_the_end_waits_for_the_batches_under_way(tmp_path: Path, ends: list[int]) -> None:
    engine, held = holding(tmp_path, grace=5_000)
    draining = asyncio.create_task(engine.drain())
    await all_wait()
    assert not draining.done()
    held.done.set()
    await draining
    assert (held.stored, engine.partitions, ends) == (True, {}, [])


async def test_the_end_waits_no_longer_than_the_grace(tmp_path: Path, ends: list[int]) -> None:
    engine, _ = holding(tmp_path, grace=1_000)
    with pytest.raises(Ended):
        await asyncio.wait_for(engine.drain(), 10)
    assert ends == [exits.CHECKPOINT_FAILED]


async def test_who_was_put_out_of_the_group_and_may_not_write_ends_at_once(tmp_path: Path, ends: list[int]) -> None:
    engine, held = holding(tmp_path, grace=1_000)

    async def membership() -> str:
        return "gone"

    async def watch() -> None:
        pass

    engine.attach(cast(Any, SimpleNamespace(membership=membership, watch=watch)))
    engine._shared = cast(Any, object())
    held.done.set()
    with pytest.raises(Ended):
        await engine._open_anew(cast(Any, held), "a newer producer writes here")
    assert ends == [exits.FENCED]
