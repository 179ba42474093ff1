"""The records that workers are tortured with: the same for the same seed, and with everything in them."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice

from streams.engine.output import Output
from streams.replay import run
from streams.torture.history import FLAWS, Fed, history
from tests.unit.torture.laying import CONFIGURATION, PARTITIONS, lay

COUNT = 8_000
RECORDS = list(islice(history(5), COUNT))


def outputs() -> list[Output]:
    setup = run.Setup(CONFIGURATION, PARTITIONS, level="all")
    return [output for _, output in run.replay(setup, lay(RECORDS))]


OUTPUTS = outputs()
COUNTED = sum((output.counts for output in OUTPUTS), Counter[tuple[str, ...]]())


def test_the_same_seed_gives_the_same_records() -> None:
    assert list(islice(history(5), 3_000)) == RECORDS[:3_000]
    assert list(islice(history(6), 100)) != RECORDS[:100]


def test_a_later_record_depends_on_nothing_but_those_before() -> None:
    """Whoever reads on after a pause gets what he would have got."""
    records = history(5)
    first = list(islice(records, 1_000))
    assert first + list(islice(records, 1_000)) == RECORDS[:2_000]


def test_records_have_every_result() -> None:
    results = {name[-1] for name in COUNTED if name[0] == "records_total"}
    assert results >= {
        "processed", "held", "duplicate", "too_late", "reinstall", "dead_letter", "unknown_app",
    }  # fmt: skip


def test_every_postback_has_jobs() -> None:
    decided = {name[3] for name in COUNTED if name[0] == "postbacks_decided_total"}
    assert decided == {postback.id for postback in CONFIGURATION.postbacks}


def test_there_are_bad_records_of_every_sort_but_few() -> None:
    reasons = {name[2] for name in COUNTED if name[0] == "dead_letters_total"}
    assert reasons == {"undecodable", "invalid", "no_identifier", "time", "null"}
    bad = sum(number for name, number in COUNTED.items() if name[0] == "dead_letters_total")
    assert COUNT / 200 < bad < COUNT / 50
    assert len(FLAWS) == 8


def test_devices_share_users_and_users_devices() -> None:
    devices: dict[str, set[bytes]] = {}
    users: dict[bytes, set[str]] = {}
    for one in good(RECORDS):
        user = one[1].get("user_id")
        if user is not None:
            devices.setdefault(user, set()).add(one[0])
            users.setdefault(one[0], set()).add(user)
    assert sum(len(of) > 1 for of in devices.values()) > 100
    assert sum(len(of) > 1 for of in users.values()) > 100


def good(records: list[Fed]) -> list[tuple[bytes, dict[str, str]]]:
    found = []
    for one in records:
        try:
            record = json.loads(one.value or b"")
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append((one.key, record))
    return found
