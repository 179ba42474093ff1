"""What every test may ask for. One that asks for `broker`, or for something that builds on it, runs on the real one."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

from streams import logs
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


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Logging is the process's own: what a test sets up, or a command that it runs, does not stay. What runs within a
    test logs as a library would, and writes to no stream.
    """
    root, kafka = logging.getLogger(), logging.getLogger("kafka")
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, logs.QUIET))}
    handlers, filters, disabled = root.handlers[:], kafka.filters[:], root.manager.disable
    structlog.configure(
        processors=[structlog.stdlib.PositionalArgumentsFormatter(), structlog.dev.ConsoleRenderer(colors=False)],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    yield
    root.handlers[:], kafka.filters[:] = handlers, filters
    for logger, level in levels.items():
        logger.setLevel(level)
    logging.disable(disabled)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
