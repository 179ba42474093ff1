"""Records as people write them into a file."""

from __future__ import annotations

import pytest

from schemas.config import Source
from schemas.record import Event, Install
from streams.rendering.values import Found, Reader
from streams.sources.decode import Rejected
from tests.unit.rendering.building import SOURCES


def read(text: str, *sources: Source) -> list[Found]:
    return list(Reader(sources or SOURCES, 10_000).read(text.encode()))


INSTALL = '{"app_id": "a", "os_id": "1"}'
EVENT = '{"app_id": "a", "os_id": "1", "event_name": "payment"}'


@pytest.mark.parametrize(
    "text",
    [
        f"{INSTALL}\n{EVENT}",
        f"\n{INSTALL}\r\n\n  {EVENT}  \n\n",
        f"[{INSTALL},\n {EVENT}]",
        f"\ufeff{INSTALL}\n{EVENT}\n",
    ],
)
def test_records_stand_in_lines_or_in_a_list(text: str) -> None:
    first, second = read(text)
    assert isinstance(first.record, Install)
    assert isinstance(second.record, Event)
    assert (first.number, second.number) == (1, 2)


def test_one_record_may_be_laid_out_over_lines() -> None:
    (only,) = read(EVENT.replace(", ", ",\n  "))
    assert isinstance(only.record, Event)


@pytest.mark.parametrize("name", ['"install"', '""', "null"])
def test_an_install_says_so_or_nothing(name: str) -> None:
    (only,) = read(f'{{"app_id": "a", "os_id": "1", "event_name": {name}}}')
    assert isinstance(only.record, Install)


def test_a_bad_record_hides_no_good_one() -> None:
    bad, good, none = read(f'{{"app_id": 5}}\n{EVENT}\nnonsense')
    assert isinstance(bad.record, Rejected)
    assert bad.record.reason == "invalid"
    assert isinstance(good.record, Event)
    assert isinstance(none.record, Rejected)


def test_an_empty_file_has_no_records() -> None:
    assert read(" \n") == []


def test_a_record_is_read_by_the_mapping_of_its_source() -> None:
    mapped = Source(topic="e", record="event", mapping={"event_name": "what.name", "app_id": "app", "os_id": "device"})
    (only,) = read(
        '{"app": "a", "device": "1", "what": {"name": "payment"}, "level": 3}', SOURCES[0], SOURCES[1], mapped
    )
    assert isinstance(only.record, Event)
    assert (only.record.event_name, only.record.app_id, only.record.os_id) == ("payment", "a", "1")


def test_what_no_source_takes_is_told() -> None:
    (only,) = read(INSTALL, SOURCES[1])
    assert isinstance(only.record, Rejected)
    assert "no source" in only.record.detail
