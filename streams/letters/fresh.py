"""Requests rendered anew: the input topics once more through the worker's rules, under the configuration in force.

A job's id follows from its input, so a job of then and the same job by the rules of today have the same one. Nothing is
written, and no more kept than the jobs that are asked for and, on disk, the states of devices.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from schemas.config import Configuration
from schemas.job import Job
from streams import kafka
from streams.engine.holds import Holds
from streams.engine.output import Limits, Output
from streams.engine.pipeline import WrongPartition
from streams.engine.ports import Processor
from streams.engine.store import StoreMemory
from streams.errors import Stop
from streams.replay import run
from streams.replay.reading import Inputs, Tell, raws
from streams.replay.run import Devices, Partition, Telling
from streams.replay.spool import SpilledRows, Spool
from streams.settings import Settings

from .again import Fresh, Refused

#: Jobs are kept in memory until they are written.
MOST_JOBS = 100_000


class _Id(msgspec.Struct):
    job_id: str


_id = msgspec.json.Decoder(_Id).decode
_job = msgspec.json.Decoder(Job).decode


def fresh(settings: Settings, live: Configuration, wanted: Mapping[str, str], tell: Tell) -> Fresh:
    """The jobs with these ids (each with its postback's id) as the live configuration decides them. Blocks for as long
    as it takes to read the input topics; raises `Stop`.

    A postback that is paused by now is taken as active: what was decided while it was active is to be sent.
    """
    known = {one.id for one in live.postbacks}
    refused = {job_id: Refused("no_postback") for job_id, name in wanted.items() if name not in known}
    ids = wanted.keys() - refused.keys()
    if not ids:
        return Fresh({}, refused)
    if rekeyed := [one.topic for one in live.sources if one.rekey]:
        raise Stop(
            f"nothing can be rendered anew: {', '.join(rekeyed)} is rekeyed, and its records lie in any partition",
            "without --render the URL goes out as it was decided",
        )
    names = {wanted[job_id] for job_id in ids}
    postbacks = tuple(msgspec.structs.replace(one, status="active") for one in live.postbacks if one.id in names)
    with Inputs(settings, live.sources) as inputs, tempfile.TemporaryDirectory(prefix="ringback-dlq-") as folder:
        history = _History(
            settings, inputs, msgspec.structs.replace(live, postbacks=postbacks), frozenset(ids), Path(folder)
        )
        try:
            history.read(tell)
        except WrongPartition as error:
            raise Stop(
                f"the input topics cannot be replayed: {error}",
                "a worker stops there too; `ringback doctor` looks at such things",
            ) from error
        finally:
            history.close()
        return Fresh(history.found, refused)


class _History:
    def __init__(
        self, settings: Settings, inputs: Inputs, configuration: Configuration, ids: frozenset[str], folder: Path
    ) -> None:
        self._inputs, self._configuration, self._ids, self._folder = inputs, configuration, ids, folder
        self._limits = Limits(record_bytes=settings.max_record_bytes, held_records=settings.hold_limit)
        self._memory = StoreMemory()
        self._rows: SpilledRows | None = None
        self._sources = {source.topic: source for source in configuration.sources}
        (folder / "users").mkdir()
        of_users = any(one.scope == "user" for one in configuration.postbacks)
        self._spool = Spool(folder / "users") if of_users else None
        self._records = 0
        self.found: dict[str, Job] = {}

    def read(self, tell: Tell) -> None:
        """All of it, both stages."""
        decides = run.device_stage(self._configuration, self._limits)
        for number in range(self._inputs.partitions):
            self._devices(decides, number, tell)
        if self._spool is None:
            return
        decides = run.user_stage(self._configuration, self._limits)
        for number in range(kafka.users_partitions(self._inputs.partitions)):
            partition = self._partition(decides, number, "user")
            for output in run.user_outputs(partition, run.users_records(number, self._spool.told(number))):
                self._take(output)

    def close(self) -> None:
        """Let go of what lies on disk."""
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    def _partition(self, decides: Processor, number: int, stage: str) -> Partition:
        self.close()
        self._rows = SpilledRows(self._folder / stage / str(number), self._memory)
        return Partition(decides, number, self._inputs.partitions, self._rows, Holds())

    def _devices(self, decides: Processor, number: int, tell: Tell) -> None:
        column = self._inputs.column(number)
        telling = Telling(number)
        devices = Devices(tuple(self._sources.values()), self._partition(decides, number, "device"))
        for empty in self._sources.keys() - {topic for topic in column.topics if not column.at_end(topic)}:
            devices.end(empty)
        while (topic := column.behind()) is not None:
            records = raws(column.next(topic), self._sources[topic], number)
            self._records += len(records)
            devices.feed(topic, records)
            if column.at_end(topic):
                devices.end(topic)
            for output in devices.outputs():
                self._take(output)
                if self._spool is not None:
                    self._spool.add(number, telling.told(output))
            tell(self._records, self._inputs.total)

    def _take(self, output: Output) -> None:
        for value in run.jobs(output):
            if _id(value).job_id in self._ids:
                job = _job(value)
                self.found[job.job_id] = job
