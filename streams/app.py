"""The worker's Faust app: `faust -A streams.app worker` finds `app` here, `ringback worker` calls `run_worker`.

`app` is made from the settings when it is first asked for, so that importing this module neither reads nor needs any.
"""

from __future__ import annotations

import sys
from functools import lru_cache

from streams import kafka, logs, settings
from streams.config.follow import ConfigurationFollower
from streams.engine import application
from streams.engine.output import Limits, Names
from streams.engine.pipeline import Pipeline
from streams.engine.stages import Processors
from streams.engine.users import UserPipeline
from streams.errors import Stop
from streams.lookups import access
from streams.lookups.server import LookupServer
from streams.settings import Settings

__all__ = ["app", "build", "run_worker"]  # noqa: F822 -- `app` is made by __getattr__


def build(settings: Settings) -> application.App:
    """The worker's app with these settings, not started. Raises `Stop`."""
    topics = kafka.Topics(settings.topic_prefix)
    written = (topics.delivery, topics.decisions, topics.dead_letters, topics.users)
    names = Names(*written, worker=settings.worker_id)
    level = settings.decisions_level
    limits = Limits(record_bytes=settings.max_record_bytes, held_records=settings.hold_limit)
    processors = Processors(Pipeline(names, level, limits, kafka.partition_of), UserPipeline(names, level, limits))
    access.check(settings)
    serve = None if settings.lookup_port is None else LookupServer
    return application.build_app(settings, processors, ConfigurationFollower, serve)


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM; its exit status. Raises `Stop` when it cannot even begin."""
    logs.setup(settings.log_level, settings.log_format, "worker")
    return application.run(build(settings))


@lru_cache(maxsize=1)
def _app() -> application.App:
    try:
        return build(settings.load())
    except Stop as stop:
        print(stop, file=sys.stderr)
        raise SystemExit(stop.exit_code) from None


def __getattr__(name: str) -> object:
    if name == "app":
        return _app()
    raise AttributeError(name)
