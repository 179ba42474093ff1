"""A configuration as records and back, and what a reader refuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from schemas.config import App, Configuration, Endpoint, Partner, Postback, Source
from streams.config import topic
from streams.config.topic import Reader, Record, Refused


def configuration(generation: int, *, title: str = "t", app: str = "game/one") -> Configuration:
    return Configuration(
        generation=generation,
        sources=(Source(topic="installs", record="install"), Source(topic="events", record="event")),
        apps=(App(id="game/one", project="p", platform="ios", bundle_id="b", device_key=("os_id",)),),
        partners=(Partner(id="Bücher & Co", name="n", rate_limit=1 / 3),),
        postbacks=(
            Postback(
                id="p/1", title=title, app=app, partner="Bücher & Co", event="install",
                endpoint=Endpoint(url="https://a.example/", body={"a": [1, None, "{os_id}"]}),
            ),
        ),
    )  # fmt: skip


def fed(records: Iterable[Record], reader: Reader | None = None) -> list[Configuration | Refused]:
    reader = reader or Reader()
    return [found for key, value in records if (found := reader.feed(key, value)) is not None]


def test_what_is_encoded_is_read_again() -> None:
    whole = configuration(7)
    assert fed(topic.encode(whole, 5)) == [whole]


def test_nothing_is_switched_before_the_generation_record() -> None:
    assert fed(topic.encode(configuration(7), 5)[:-1]) == []


def test_the_generation_record_comes_last() -> None:
    assert topic.encode(configuration(7), 5)[-1][0] == b"generation/7"


@pytest.mark.parametrize("missing", range(5))
def test_an_incomplete_generation_is_refused_whole(missing: int) -> None:
    records = topic.encode(configuration(2), 5)
    del records[missing]
    (found,) = fed(records)
    assert isinstance(found, Refused)
    assert found.generation == 2
    assert "incomplete" in str(found)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"2/app/game/one", b"{", "app game/one cannot be read"),
        (b"2/app/game/one", b'{"id": 5}', "app game/one cannot be read"),
        (b"2/app/game/one", b"\xff\xfe", "app game/one cannot be read"),
        (b"2/source/installs", b'{"topic": "x", "record": "event"}', "source installs calls itself x"),
        (b"2/rule/r", b"{}", "a record of the kind 'rule', which this version does not know"),
        (b"2/app/other", msgspec.json.encode(configuration(2).apps[0]), "app other calls itself game/one"),
    ],
)
def test_a_generation_with_a_bad_record_is_refused_whole(key: bytes, value: bytes, reason: str) -> None:
    records = topic.encode(configuration(2), 5)
    (found,) = fed([*records[:-1], (key, value), records[-1]])
    assert isinstance(found, Refused)
    assert reason in found.reason


@pytest.mark.parametrize(
    "value", [b"", b"{}", b"nonsense", b'{"generation": 3, "applied_at": 1, "counts": {}}', b"\xff"]
)
def test_a_bad_generation_record_refuses_its_generation(value: bytes) -> None:
    (found,) = fed([*topic.encode(configuration(2), 5)[:-1], (b"generation/2", value)])
    assert isinstance(found, Refused)
    assert found.generation == 2


def test_a_generation_whose_postback_leads_nowhere_is_refused() -> None:
    (found,) = fed(topic.encode(configuration(2, app="gone"), 5))
    assert isinstance(found, Refused)
    assert "of the app gone, which is not in it" in found.reason


@pytest.mark.parametrize("key", [None, b"", b"x", b"generation", b"generation/x", b"1/app", b"-1/app/x", b"\xff/app/x"])
def test_a_record_with_a_strange_key_is_refused_alone(key: bytes | None) -> None:
    whole = configuration(2)
    records = topic.encode(whole, 5)
    strange: Any = (key, b"{}")
    refused, good = fed([*records[:2], strange, *records[2:]])
    assert isinstance(refused, Refused)
    assert refused.generation is None
    assert good == whole


def test_a_good_generation_follows_a_bad_one() -> None:
    good = configuration(3)
    refused, found = fed([*topic.encode(configuration(2), 5)[1:], *topic.encode(good, 6)])
    assert isinstance(refused, Refused)
    assert found == good


def test_what_was_never_closed_is_forgotten() -> None:
    reader = Reader()
    fed(topic.encode(configuration(2), 5)[:-1], reader)
    fed(topic.encode(configuration(3), 5), reader)
    (found,) = fed(topic.encode(configuration(2), 5)[-1:], reader)
    assert isinstance(found, Refused)


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    records = topic.encode(configuration(2), 5)
    records[0] = (records[0][0], b'{"topic": "installs", "record": "install", "colour": "red"}')
    assert fed(records) == [configuration(2)]


def test_generations_no_longer_kept_get_tombstones() -> None:
    keys = [key for number in (1, 2, 3) for key, _ in topic.encode(configuration(number), 5)]
    outdated = topic.outdated([*keys, b"strange"], 2 + topic.KEPT)
    assert {topic.generation_of(key) for key, _ in outdated} == {1, 2}
    assert all(value is None for _, value in outdated)


def test_a_half_compacted_generation_with_tombstones_is_no_trouble() -> None:
    first, second = topic.encode(configuration(1), 5), topic.encode(configuration(2), 5)
    tombstones: list[Record] = [(key, None) for key, _ in first]
    assert fed([*first[:2], *second, *tombstones]) == [configuration(2)]
