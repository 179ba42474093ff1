"""Which records of a partition are a device's."""

from __future__ import annotations

import json

import pytest

from streams.explain.sifting import Sieve
from tests.unit.explain.building import DEVICE, SOURCES, START, World


def sieve_of(record_id: str, device_key: str = DEVICE) -> Sieve:
    return Sieve(record_id, device_key, SOURCES[1], 0)


def test_a_device_is_found_under_another_kafka_key_and_in_other_letters() -> None:
    world = World()
    for number, key in enumerate((b"game|abc", None, b"something")):
        record = {"id": f"e-{number}", "app_id": "game", "google_aid": "ABC", "event_name": "payment"}
        world.raw(json.dumps(record).encode(), number, key=key or b"")
    assert [world.story(f"e-{number}").result for number in range(3)] == ["processed"] * 3


def test_another_device_is_left_out_even_if_it_mentions_this_one() -> None:
    world = World()
    world.event("e", 0)
    world.event("other", 0, google_aid="xyz", params={"friend": "abc"})
    assert [one.occurrence.raw.offset for one in world.material("e").history.readings] == [0]


@pytest.mark.parametrize("device_id", ["é", 'a"b', "a/b"])
def test_an_identifier_that_json_may_write_in_another_way_is_found(device_id: str) -> None:
    sieve = sieve_of("e", f"game|{device_id}")
    sieve.take(0, START, None, json.dumps({"google_aid": device_id}).encode())
    assert len(sieve.kept) == 1


def test_others_that_mention_the_id_are_told_of_but_not_all() -> None:
    sieve = sieve_of("e-17")
    for offset in range(9):
        sieve.take(offset, START, b"game|typo", b'{"id": "e-17", "google_aid": "typo"}')
    assert ([one.offset for one in sieve.near], sieve.kept) == ([0, 1, 2], [])


def test_a_record_without_an_id_is_kept_by_its_place() -> None:
    sieve = sieve_of("events-0-5")
    sieve.take(4, START, None, b"{}")
    sieve.take(5, START, None, None)
    assert [one.raw.offset for one in sieve.kept] == [5]


def test_a_record_goes_by_the_latest_append_time_before_it() -> None:
    sieve = sieve_of("e")
    for offset, appended in enumerate((5, 3, 7)):
        sieve.take(offset, START + appended, b"game|abc", b"{}")
    assert [one.turn - START for one in sieve.kept] == [5, 5, 7]
    assert (sieve.records, sieve.first, sieve.last) == (3, START + 3, START + 7)
