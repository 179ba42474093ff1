"""What every test may ask for. One that asks for `broker`, or for something that builds on it, runs on the real one."""

from __future__ import annotations

import os

import hypothesis
import pytest

from streams.settings import PREFIX
from tests.support.fixtures import bootstrap, broker, make_settings, partner, prefix, settings, start

__all__ = ["bootstrap", "broker", "make_settings", "partner", "prefix", "settings", "start"]

# How fast an example runs is no test's affair: a machine that is busy would make a right one fail.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def no_settings_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own RINGBACK_ variables must not change what a test sees."""
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
