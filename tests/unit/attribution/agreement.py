"""What the pipelines write and what the plain reference says, of random worlds: the result of each record, its derived
events, of devices and of users, and every job.

`python -m tests.unit.attribution.agreement --records 1000000` compares so many records and prints what it met.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from urllib.parse import parse_qs, urlsplit

import msgspec

from schemas.config import HOUR, MINUTE
from schemas.decision import Decision
from schemas.job import Job
from schemas.report import ReportRow
from schemas.user import UserRecord
from streams.engine.counts import told
from streams.engine.expiry import PREFIXES, Rules, forgotten
from streams.engine.holds import Holds
from streams.engine.output import Limits, Names, Output
from streams.engine.pipeline import Pipeline
from streams.engine.ports import Processor
from streams.engine.raw import Raw
from streams.engine.stages import StageName
from streams.engine.users import UserPipeline
from tests.support.reference import Told
from tests.support.reference_world import Due, ReferenceWorld
from tests.unit.attribution.worlds import SOURCES, Maker, World

NAMES = Names("delivery", "decisions", "dead-letters", "users")
FOR_EVER = 10**15
#: Short enough to be met often; the first record of a device may be held for longer.
FORGETS = (20 * MINUTE, 20 * MINUTE, 20 * MINUTE, HOUR, HOUR, HOUR, 4 * HOUR, None)

#: A record's story: scope, device key, kind, id, result, late, and (event, number, publisher, agency) of each derived.
Story = tuple[str, str, str, str, str, bool, tuple[tuple[str, int, str | None, str | None], ...]]


@dataclass
class Lane:
    """A stage as the engine keeps it: rows that were committed, holds, and all that was ever written.

    `crash`: how often, of 1, what was decided is lost before it is committed. `sweep`: deletes rows that are forgotten,
    given how many records have been applied.
    """

    processor: Processor
    crash: float = 0.0
    sweep: Callable[[Lane, int], None] | None = None
    forgotten: int = 0
    rows: dict[bytes, bytes] = field(default_factory=dict)
    holds: Holds = field(default_factory=Holds)
    written: list[tuple[str, bytes | None, bytes]] = field(default_factory=list)
    #: Rows for the report topic, after each batch that changed them.
    counted: list[ReportRow] = field(default_factory=list)

    def run(self, records: Sequence[Raw], dice: random.Random) -> None:
        """Everything, in batches of any size; at the end nothing is held."""
        place = 0
        while place < len(records):
            batch = records[place : place + dice.choice((1, 2, 7, 30, 200))]
            following = records[place + len(batch)].appended if place + len(batch) < len(records) else FOR_EVER
            progress = dice.choice((None, batch[-1].appended, following))
            output = self._decide(batch, progress, dice)
            place += output.taken
            if self.sweep is not None and place < len(records) and dice.random() < 0.5:
                self.sweep(self, place)
        while self._decide([], FOR_EVER, dice).more:
            pass

    def _decide(self, batch: Sequence[Raw], progress: int | None, dice: random.Random) -> Output:
        output = self.processor.process(0, batch, progress, 0, lambda keys: [*map(self.rows.get, keys)], self.holds, 1)
        if dice.random() < self.crash:
            self.holds = Holds.load(row for row in self.rows.items() if row[0].startswith(b"h"))
            return Output(more=True)
        for key, value in output.puts.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.written += [(one.topic, one.key, one.value) for one in output.outgoing]
        for key in output.counted:
            self.counted.append(msgspec.json.decode(told(key, self.rows[key])[1], type=ReportRow))
        return output

    def of(self, topic: str) -> list[bytes]:
        return [value for its_topic, _, value in self.written if its_topic == topic]


def sweep(lane: Lane, stage: StageName, rules: Rules, before: int, dice: random.Random) -> None:
    """Delete a part of the rows that are forgotten for all records appended at `before` or later."""
    rows = [row for row in lane.rows.items() if row[0].startswith(PREFIXES[stage])]
    for one in forgotten(stage, rules, rows, before):
        if dice.random() < 0.7:
            del lane.rows[one.key]
            lane.forgotten += 1


def run(world: World, dice: random.Random, crash: float = 0.0, sweeps: bool = False) -> tuple[Lane, Lane]:
    """Both stages over the whole history. `sweeps`: what is forgotten is deleted at any moment."""
    limits = Limits(held_records=world.hold_limit, releases=dice.choice((1, 3, 2000)))
    devices, users = Pipeline(NAMES, "all", limits, lambda key, count: 0), UserPipeline(NAMES, "all", limits)
    for processor in (devices, users):
        processor.configure(world.configuration)
    first, second = Lane(devices, crash), Lane(users, crash)
    rules = Rules(world.configuration)
    if sweeps:
        appended = [raw.appended for _, raw in world.history]
        first.sweep = lambda lane, taken: sweep(lane, "device", rules, appended[taken], dice)
    first.run([raw for _, raw in world.history], dice)
    told = [(key, value) for topic, key, value in first.written if topic == NAMES.users]
    if sweeps:
        # What was held is told of late.
        times = [msgspec.json.decode(value, type=UserRecord).appended for _, value in told]
        earliest = list(accumulate(reversed(times), min))[::-1]
        second.sweep = lambda lane, taken: sweep(lane, "user", rules, earliest[taken], dice)
    second.run(
        [Raw(NAMES.users, 0, number, number, key, value, SOURCES["event"]) for number, (key, value) in enumerate(told)],
        dice,
    )
    return first, second


def reference_of(world: World) -> ReferenceWorld:
    """The reference's view of the whole history."""
    configuration = world.configuration
    reference = ReferenceWorld(
        {app.id: app for app in configuration.apps},
        {partner.id: partner for partner in configuration.partners},
        configuration.postbacks,
        world.hold_limit,
    )
    for entry, _ in world.history:
        reference.read(entry)
    reference.progress(FOR_EVER)
    return reference


def stories(lanes: tuple[Lane, Lane]) -> list[list[Story]]:
    """What the decisions tell, of devices and of users; of users only what fired."""
    decisions = [[msgspec.json.decode(value, type=Decision) for value in lane.of(NAMES.decisions)] for lane in lanes]
    return [
        [_story(decision) for decision in of_stage if decision.scope == "device" or decision.derived]
        for of_stage in decisions
    ]


def _story(one: Decision) -> Story:
    derived = tuple(
        (note.event, note.attribution_number, note.publisher_name, note.agency_name) for note in one.derived
    )
    return one.scope, one.device_key, one.kind, one.record_id, one.result, one.late, derived


def stories_of(reference: ReferenceWorld) -> list[list[Story]]:
    """The same, as the reference tells it."""
    return [
        [_told(*one) for one in reference.told if one[0] == scope and (scope == "device" or one[2].derived)]
        for scope in ("device", "user")
    ]


def _told(scope: str, device_key: str, told: Told) -> Story:
    derived = tuple(
        (one.event, one.number, one.source[0] if one.source else None, one.source[1] if one.source else None)
        for one in told.derived
    )
    return scope, device_key, told.kind, told.id, told.result, told.late, derived


def jobs(lanes: tuple[Lane, Lane]) -> Counter[Due]:
    """The jobs that were written."""
    return Counter(_due(msgspec.json.decode(value, type=Job)) for lane in lanes for value in lane.of(NAMES.delivery))


def _due(job: Job) -> Due:
    (url,) = job.request.url
    query = parse_qs(urlsplit(str(url)).query)
    publisher = query.get("p", [None])[0]
    return Due(job.postback_id, job.event, job.device_key, job.record_id, int(query["n"][0]), publisher, job.shadow)


def compare(seed: int, length: int, crash: float = 0.0, forgets: tuple[int | None, ...] = ()) -> Counter[str]:
    """Raise AssertionError where they differ; otherwise what was met. `forgets`: what apps take as `forget_after`; then
    half of the worlds are swept.
    """
    dice = random.Random(seed)
    world = Maker(dice, forgets=forgets).world(length)
    lanes, reference = run(world, dice, crash, sweeps=bool(forgets) and seed % 2 == 0), reference_of(world)
    for of_stage, expected in zip(stories(lanes), stories_of(reference), strict=True):
        for number, (one, other) in enumerate(zip(of_stage, expected, strict=False)):
            assert one == other, (seed, number)
        assert len(of_stage) == len(expected), seed
    written, due = jobs(lanes), Counter(reference.jobs)
    assert written == due, (seed, written - due, due - written)
    assert not lanes[0].of(NAMES.dead_letters) + lanes[1].of(NAMES.dead_letters), seed
    met = Counter({"records": length, "worlds": 1, "jobs": written.total()})
    met.update(f"{scope}: {told.result}" for scope, _, told in reference.told)
    met.update(f"{scope}: late" for scope, _, told in reference.told if told.late)
    met.update(one.event.partition(":")[0] for _, _, told in reference.told for one in told.derived)
    met.update(f"{one.event} (claim)" for _, _, told in reference.told for one in told.derived if one.claim)
    kinds = {postback.id: (postback.event, postback.delivery_method) for postback in reference.postbacks}
    for job in reference.jobs:
        met["jobs of session at " + kinds[job.postback][1]] += kinds[job.postback][0] == "session"
    met["users of several devices"] += _shared(world)
    met.update({f"{scope}s swept": lane.forgotten for scope, lane in zip(("device", "user"), lanes, strict=True)})
    return met


def _shared(world: World) -> int:
    devices: dict[str, set[str]] = {}
    for entry, _ in world.history:
        if entry.record.user_id:
            devices.setdefault(entry.record.user_id, set()).add(entry.device_key)
    return sum(len(keys) > 1 for keys in devices.values())


def main() -> None:
    """Compare, and print what was compared."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--length", type=int, default=400, help="records of one world")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    met: Counter[str] = Counter()
    began = time.monotonic()
    for number in range(-(-arguments.records // arguments.length)):
        forgets = FORGETS if number % 4 > 1 else ()
        met += compare(arguments.seed + number, arguments.length, 0.1 if number % 8 > 3 else 0.0, forgets)
    for what, count in sorted(met.items()):
        print(f"{count:12,}  {what}")
    print(f"the pipelines and the reference agree; {time.monotonic() - began:,.0f} s")


if __name__ == "__main__":
    main()
