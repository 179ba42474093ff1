"""Logging for every process: one structured line per event, JSON off a terminal, ours and the libraries' alike."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

#: Libraries whose `info` is noise to an operator.
QUIET = ("aiokafka", "faust", "mode", "aiohttp.access", "asyncio", "kafka")

#: A client whose broker is away says the same thing many times a second; once in so many seconds is enough.
REPEAT_SECONDS = 30.0


class Sparse(logging.Filter):
    """Lets a message of the Kafka client through once in a while, whatever thread or duration it names."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage().rpartition("]: ")[2].partition(" (after ")[0]
        now = time.monotonic()
        if now - self._last.get(said, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        if len(self._last) > 1_000:
            self._last.clear()
        self._last[said] = now
        return True


#: Said on every line, whatever thread writes it: which of the processes under one parent this is.
_CHILD: dict[str, int] = {}


def child(number: int) -> None:
    """From now on every line of this process carries its number."""
    _CHILD["number"] = number


def _which(logger: object, method: str, event: EventDict) -> EventDict:
    return {**event, **_CHILD}


def setup(level: str = "info", form: str = "auto", process: str = "", stream: TextIO | None = None) -> None:
    """Send everything that is logged to `stream` (standard error). `form`: `json`, `text` or `auto`: text on a
    terminal.

    `process` is bound to each line. May be called again; the newest call holds.
    """
    out = stream or sys.stderr
    as_text = form == "text" or (form == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _which,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if as_text:
        # Not rich's: that one shows local variables, and so devices and secrets.
        plain = structlog.dev.plain_traceback
        last.append(structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain))
    else:
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_as_json)]
    handler = logging.StreamHandler(out)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING) if level != "debug" else logging.INFO)
    logging.getLogger("kafka").filters[:] = [Sparse()]
    structlog.contextvars.clear_contextvars()
    if process:
        structlog.contextvars.bind_contextvars(process=process)


def _as_json(event: Any, **options: Any) -> str:
    """One line of JSON. What JSON does not know is written as structlog would; no value keeps a line away."""
    try:
        return orjson.dumps(event, default=options.get("default"), option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # half a surrogate pair, a number beyond 64 bits
        return json.dumps(event, default=repr, skipkeys=True)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for a module: `logs.get(__name__).info("what happened", partition=3)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
