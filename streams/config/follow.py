"""Every process follows the config topic and works with the newest good generation (contract §2, faults S12)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from schemas.config import Configuration
from streams import kafka, logs
from streams.config import topic
from streams.config.compacted import TopicFollower, read_to_end
from streams.settings import Settings

log = logs.get(__name__)

OnChange = Callable[[Configuration], None]
OnError = Callable[[topic.Refused], None]

READ_SECONDS = 30.0


class ConfigurationFollower:
    """Keeps the configuration in force.

    `on_change` is called with each new good configuration, the first included, and `on_error` with each refusal; both
    from the follower's thread, one at a time. What was in the topic before is not replayed: of the past only the
    newest good generation is told, and what was refused after it. When `on_change` raises, that generation counts as
    refused: the last good one stays.
    """

    def __init__(self, settings: Settings, on_change: OnChange, on_error: OnError) -> None:
        self._on_change = on_change
        self._on_error = on_error
        self._first = threading.Event()
        self._current: Configuration | None = None
        self._follower = TopicFollower(settings, kafka.Topics(settings.topic_prefix).config, self)
        self.restart()

    @property
    def current(self) -> Configuration | None:
        """The configuration in force, None before the first. May be asked from any thread."""
        return self._current

    @property
    def is_empty(self) -> bool:
        """Whether the topic has been read to its end and no good generation was there."""
        return self._current is None and not self._catching_up

    @property
    def alive(self) -> bool:
        """Whether the topic is being followed; false before `start` and after `stop`."""
        return self._follower.alive

    def start(self) -> None:
        """Begin to follow. Returns at once; an absent broker or topic is waited for."""
        self._follower.start()

    def wait_first(self, timeout: float | None = None) -> Configuration | None:
        """Block until there is a configuration, `stop`, or `timeout` seconds have passed; None when there is none."""
        self._first.wait(timeout)
        return self._current

    def stop(self) -> None:
        """End the thread and whoever waits; no callback is made after it returns."""
        self._follower.stop()
        self._first.set()

    # What the follower of the topic calls, from its thread.

    def restart(self) -> None:
        self._reader = topic.Reader()
        self._catching_up = True
        self._newest: Configuration | None = None
        self._refused: list[topic.Refused] = []

    def record(self, key: bytes | None, value: bytes | None) -> None:
        found = self._reader.feed(key, value)
        if isinstance(found, Configuration):
            self._newest, self._refused = found, []
        elif found is not None:
            self._refused.append(found)
        if not self._catching_up:
            self._tell()

    def caught_up(self) -> None:
        self._catching_up = False
        self._tell()

    def _tell(self) -> None:
        newest, refused = self._newest, self._refused
        self._newest, self._refused = None, []
        if newest is not None and newest != self._current:
            self._take(newest)
        for refusal in refused:
            self._refuse(refusal)

    def _take(self, configuration: Configuration) -> None:
        try:
            self._on_change(configuration)
        except Exception as error:
            log.exception("a generation could not be put in force", generation=configuration.generation)
            self._refuse(topic.Refused(f"it could not be put in force: {error}", configuration.generation))
            return
        self._current = configuration
        log.info("configuration in force", generation=configuration.generation)
        self._first.set()

    def _refuse(self, refusal: topic.Refused) -> None:
        kept = self._current.generation if self._current else None
        log.error("configuration refused", reason=str(refusal), generation_kept=kept)
        try:
            self._on_error(refusal)
        except Exception:
            log.exception("telling of a refused configuration failed")


def read_current(settings: Settings, timeout: float = READ_SECONDS) -> Configuration | None:
    """The newest good generation in the topic, None when there is none. Blocks; raises `streams.errors.Stop`."""
    return read(settings, timeout)[0]


def read_generation(settings: Settings, generation: int, timeout: float = READ_SECONDS) -> Configuration | None:
    """A generation that is still kept, None when it is not. Blocks; raises `streams.errors.Stop`."""
    reader = topic.Reader()
    for key, value in read_to_end(settings, kafka.Topics(settings.topic_prefix).config, timeout):
        found = reader.feed(key, value)
        if isinstance(found, Configuration) and found.generation == generation:
            return found
    return None


def read(settings: Settings, timeout: float = READ_SECONDS) -> tuple[Configuration | None, set[bytes]]:
    """The newest good generation and every key that lives in the topic. Blocks; raises `streams.errors.Stop`."""
    reader = topic.Reader()
    newest: Configuration | None = None
    keys: set[bytes] = set()
    for key, value in read_to_end(settings, kafka.Topics(settings.topic_prefix).config, timeout):
        found = reader.feed(key, value)
        if isinstance(found, Configuration):
            newest = found
        if key is not None:
            (keys.discard if value is None else keys.add)(key)
    return newest, keys
