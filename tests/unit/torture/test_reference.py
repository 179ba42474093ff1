"""What torture takes for right: independent of the pieces in which it is read, and what the plain reference says."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.job import Job
from streams.attribution import identity
from streams.attribution.entry import Entry
from streams.engine.raw import Raw
from streams.engine.stages import Unit
from streams.replay import run
from streams.sources.decode import Decoder, Rejected
from streams.torture.history import history
from tests.support.reference_world import ReferenceWorld
from tests.unit.torture.laying import CONFIGURATION, NAMES, PARTITIONS, lay, reference, some_history

_job = msgspec.json.Decoder(Job).decode


@given(st.integers(0, 1 << 20), st.integers(1, 300))
@settings(max_examples=5)
def test_the_pieces_in_which_the_topics_are_read_make_no_difference(seed: int, piece: int) -> None:
    lying = some_history(seed, 600)
    assert reference(lying, piece).picture == reference(lying, 10_000).picture


def test_at_the_end_nothing_is_held_and_everything_is_read() -> None:
    lying = some_history(1, 3_000)
    made = reference(lying)
    assert made.records == 3_000
    assert not [key for rows in made.picture.rows.values() for key in rows if key.startswith(b"h")]
    for number, records in lying.items():
        ends = {topic: max(one.offset for one in records if one.topic == topic) + 1 for topic in ("installs", "events")}
        assert made.picture.positions[Unit("device", number)] == ends


def test_it_decides_what_the_plain_reference_says() -> None:
    """An implementation that shares nothing with the worker but the decoding."""
    lying = lay(islice(history(2), 2_500), partitions=1)
    world = ReferenceWorld(
        {app.id: app for app in CONFIGURATION.apps},
        {partner.id: partner for partner in CONFIGURATION.partners},
        CONFIGURATION.postbacks,
    )
    for entry in entries(lying[0]):
        world.read(entry)
    world.progress(1 << 60)
    jobs: Counter[tuple[str, str, str]] = Counter()
    for _, output in run.replay(run.Setup(CONFIGURATION, 1), lying):
        for value in run.jobs(output):
            job = _job(value)
            jobs[job.postback_id, job.device_key, job.record_id] += 1
    assert jobs.total() > 500
    assert jobs == Counter((due.postback, due.device_key, due.id) for due in world.jobs)


def entries(records: list[Raw]) -> list[Entry]:
    """The records that are good, in merged order."""
    apps = {app.id: app for app in CONFIGURATION.apps}
    decoders = {source.topic: Decoder(source, 1_000_000) for source in CONFIGURATION.sources}
    found = []
    for raw in records:
        record = decoders[raw.topic].decode(raw.value)
        if isinstance(record, Rejected) or record.app_id not in apps:
            continue
        origin = f"{raw.topic}-{raw.partition}-{raw.offset}"
        entry = identity.place(record, raw.source.record, raw.appended, origin, apps[record.app_id])
        if isinstance(entry, Entry):
            found.append(entry)
    return found


def test_the_reference_of_the_users_stage_follows_their_topic_as_it_lies() -> None:
    lying = some_history(4, 2_000)
    told = run.replay(run.Setup(CONFIGURATION, PARTITIONS), lying)
    outgoing = [one for stage, output in told if stage is None for one in output.outgoing if one.topic == NAMES.users]
    users: dict[int, list[Raw]] = {number: [] for number in range(PARTITIONS)}
    for one in outgoing:
        place = users[one.partition or 0]
        place.append(Raw(NAMES.users, one.partition or 0, len(place), 0, one.key, one.value, run.USERS))
    with_users = reference(lying, users=users).picture
    without = reference(lying).picture
    assert with_users.jobs.keys() > without.jobs.keys()
    assert {unit.stage for unit in with_users.rows} == {"device", "user"}
    moved = {number: list(reversed(records)) for number, records in users.items()}
    for records in moved.values():
        records[:] = [raw._replace(offset=offset) for offset, raw in enumerate(records)]
    assert reference(lying, users=moved).picture.jobs != with_users.jobs
