"""The two stages of a worker: devices, fed by the configured sources, and users, fed by what the first tells them.

Both are the same engine. Each has its own partitions, changelog and stores, so that neither waits for the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, get_args

from schemas.config import Configuration, Source
from streams import kafka
from streams.engine.ports import Processor
from streams.settings import Settings

StageName = Literal["device", "user"]
STAGES: tuple[StageName, ...] = get_args(StageName)

#: A partition of a topic: name, number.
Input = tuple[str, int]


class Unit(NamedTuple):
    """One partition of one stage: what is assigned, recovered, written by one process, and stored in one place."""

    stage: StageName
    number: int

    def __str__(self) -> str:
        return f"partition {self.number}" if self.stage == "device" else f"{self.stage} partition {self.number}"


@dataclass(frozen=True)
class Stage:
    """What the partitions of one stage share. `sources` in the order of the configuration; `partitions`: how many the
    stage has. `internal`: the sources are topics that another stage writes, not the user's. `rekeyed`: for the topic of
    a source that is rekeyed the one that is read instead.
    """

    name: StageName
    sources: tuple[Source, ...]
    partitions: int
    changelog: str
    processor: Processor
    internal: bool = False
    rekeyed: Mapping[str, str] = field(default_factory=dict)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are read."""
        return tuple(self.read)

    @cached_property
    def read(self) -> dict[str, Source]:
        """The topics that are read, each with the source whose records it holds."""
        return {self.rekeyed.get(source.topic, source.topic): source for source in self.sources}

    @cached_property
    def written(self) -> frozenset[str]:
        """Those of them that rekeyers write: of these no end tells how far the source has been read."""
        return frozenset(self.rekeyed.values())

    def assigned(self, inputs: Collection[Input]) -> list[int]:
        """The numbers of which at least one source is among `inputs`."""
        return sorted({number for topic, number in inputs if topic in self.topics})

    def added(self, inputs: Collection[Input]) -> list[int]:
        """The numbers of which there were none when the stage was made: nothing of ours has a place for them."""
        return [number for number in self.assigned(inputs) if number >= self.partitions]

    def torn(self, inputs: Collection[Input]) -> list[int]:
        """Those of which a source is missing: they were assigned apart."""
        return [
            number for number in self.assigned(inputs) if not all((topic, number) in inputs for topic in self.topics)
        ]


class Processors(NamedTuple):
    """What decides in each stage."""

    device: Processor
    user: Processor

    def configure(self, configuration: Configuration, before: Configuration | None) -> None:
        """All decide by `configuration` from now on, or none: when one refuses it, all are back at `before`, and what
        it raised is raised.
        """
        taken: list[Processor] = []
        try:
            for processor in self:
                processor.configure(configuration)
                taken.append(processor)
        except Exception:
            if before is not None:
                for processor in taken:
                    processor.configure(before)
            raise


def users_source(settings: Settings) -> Source:
    """The one source of the user stage."""
    return Source(topic=kafka.Topics(settings.topic_prefix).users, record="event")


def reach(settings: Settings, stage: Stage, number: int) -> list[Input]:
    """Every partition that the transactions of a unit may write to."""
    names = kafka.Topics(settings.topic_prefix)
    own = (stage.changelog, names.delivery, names.decisions, names.dead_letters, names.report)
    users = () if stage.internal else range(kafka.users_partitions(stage.partitions))
    # What a new configuration has given another place is written into the other partitions of its own topic.
    moved = [(topic, other) for topic in sorted(stage.written) for other in range(stage.partitions)]
    return [*((topic, number) for topic in own), *((names.users, user) for user in users), *moved]


def rekeyer_changelog(settings: Settings) -> str:
    """The topic that says how far the rekeyers have come."""
    return f"{settings.worker_id}-rekeyer-changelog"


def owners_topic(settings: Settings) -> str:
    """The topic that says which process writes for which partition."""
    return f"{settings.worker_id}-owners"


def changelog_topic(settings: Settings, stage: StageName = "device") -> str:
    """The topic that holds a stage's state."""
    return f"{settings.worker_id}-{stage}-changelog"
