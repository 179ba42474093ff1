"""Sources that stand still because too much of them is bad (faults S7)."""

from __future__ import annotations

import logging
from collections import Counter

from streams.metrics import Metrics
from streams.settings import Settings
from streams.sources.quarantine import Limit, Quarantine

log = logging.getLogger(__name__)

BAD = "dead_letter"


class Pauses:
    """Counts good and bad records per source, from what the batches counted. `paused` is read by the intake.

    A source that is paused stops every partition of its stage, for the others may not overtake it (contract §4,
    *Merge*). A new configuration, or a restart, lets it try again.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._limit = Limit(settings.dead_letter_window, settings.dead_letter_limit)
        self._metrics = metrics
        self._sources: dict[str, Quarantine] = {}
        self.paused: set[str] = set()

    def count(self, counts: Counter[tuple[str, ...]]) -> None:
        """Take in a batch's counts."""
        for (metric, *labels), count in counts.items():
            if metric != "records_total":
                continue
            topic, result = labels
            source = self._source(topic)
            if result != BAD:
                source.good(count)
                continue
            for _ in range(count):
                source.bad()
            if source.exceeded and topic not in self.paused:
                self._pause(topic, source.reason())

    def _source(self, topic: str) -> Quarantine:
        if topic not in self._sources:
            self._sources[topic] = Quarantine(self._limit)
            self._metrics.source_paused.labels(topic).set(0)
        return self._sources[topic]

    def clear(self) -> None:
        """Let every source try again."""
        for topic in self.paused:
            self._metrics.source_paused.labels(topic).set(0)
            log.warning("source %s goes on", topic)
        self.paused.clear()
        for source in self._sources.values():
            source.reset()

    def _pause(self, topic: str, reason: str) -> None:
        self.paused.add(topic)
        self._metrics.source_paused.labels(topic).set(1)
        log.error(
            "source %s is paused, and with it the worker: %s. Look at the dead letters; apply a corrected "
            "configuration, or restart to go on",
            topic,
            reason,
        )
