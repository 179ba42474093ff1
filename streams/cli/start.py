"""What every command does first: the settings, the logs, and a look that our packages are ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import streams
from streams.errors import USAGE, Stop

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from streams.settings import Settings


def check_names() -> None:
    """`schemas` is a common word: raises `Stop` when another package of that name is found before ours."""
    import schemas

    ours, found = Path(streams.__file__).parents[1], Path(schemas.__file__ or ".").parents[1]
    if ours.resolve() != found.resolve():
        raise Stop(
            f"another package named `schemas` hides ours: {found / 'schemas'}",
            "start Ringback from another directory, or without that package in its environment and PYTHONPATH",
            USAGE,
        )


def environment(file: Path | None, bootstrap_servers: str | None, verbose: bool) -> None:
    """Put the global options where every process of ours looks for settings, so that children get them too."""
    if file is not None:
        os.environ["RINGBACK_CONFIG_FILE"] = str(file)
    if bootstrap_servers is not None:
        os.environ["RINGBACK_BOOTSTRAP_SERVERS"] = bootstrap_servers
    if verbose:
        os.environ["RINGBACK_LOG_LEVEL"] = "debug"


def settings(process: str = "") -> Settings:
    """The settings, with the logs set up for them. No `process`: only errors are logged. Raises `Stop`."""
    from streams import kafka, logs
    from streams.settings import load

    loaded = load()
    kafka.check(loaded)
    level = loaded.log_level
    logs.setup(level if process or level == "debug" else "error", loaded.log_format, process)
    return loaded


def reach(loaded: Settings, timeout: float) -> AdminClient:
    """Wait until Kafka answers, saying so; raises `Stop` after `timeout` seconds."""
    import logging

    from streams import broker
    from streams.cli import output

    # The command says itself what is wrong, once; the client says it ten times a second.
    if loaded.log_level != "debug":
        logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
    return broker.reach(loaded, timeout, output.say)
