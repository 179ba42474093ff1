"""Fixtures of the tests that run on the real broker; the conftests of those folders import them."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.local.broker import EmbeddedBroker
from streams.local.partner import Partner, in_thread
from streams.settings import Settings
from tests.support.processes import Start, starting

MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """One real broker for the whole run. A test that stops or kills brokers starts its own."""
    with EmbeddedBroker(tmp_path_factory.mktemp("kafka")) as running:
        yield running
    # The log stays, for a look after a failure; the data would fill the disk run by run.
    shutil.rmtree(running.folder / "data")


@pytest.fixture
def bootstrap(broker: EmbeddedBroker) -> str:
    """The address of the broker."""
    return broker.bootstrap


@pytest.fixture
def prefix() -> str:
    """What the names of this test's topics begin with, so that tests do not see each other."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
def make_settings(bootstrap: str, prefix: str, tmp_path: Path) -> MakeSettings:
    """Makes settings for this test's broker, topics and groups, with free ports and a state folder of their own."""

    def make(**more: object) -> Settings:
        own = {
            "bootstrap_servers": bootstrap,
            "topic_prefix": prefix,
            "worker_id": f"{prefix}worker",
            "sender_group": f"{prefix}sender",
            "state_dir": tmp_path / "state",
            "metrics_host": "127.0.0.1",
            "metrics_port": 0,
            "sender_metrics_port": 0,
            "egress_allow": "127.0.0.0/8",
            "partitions": 4,
            # What was killed is missed sooner than by default: much of the time of many tests.
            "session": 5_000,
            "log_format": "text",
        }
        return Settings(**(own | more))  # type: ignore[arg-type]

    return make


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    """The settings that most tests want."""
    return make_settings()


@pytest.fixture
def partner() -> Iterator[Partner]:
    """A recording partner in a thread of its own."""
    with in_thread() as running:
        yield running


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Starts our commands as processes with this test's settings: `start("worker")`. All of them are gone when the test
    ends.
    """
    with starting(settings, tmp_path) as starter:
        yield starter
