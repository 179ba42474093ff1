"""From a key to its partition, to who tells its state."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import kafka
from streams.engine.stages import StageName, Unit
from streams.lookups import routing
from streams.lookups.routing import Asked, Forward, Refusal
from streams.settings import LOOKUP_URL

KEYS = st.builds("{}|{}".format, st.text(min_size=1).filter(lambda one: "|" not in one), st.text(min_size=1))
OURS, THEIRS = "http://127.0.0.1:1", "http://127.0.0.1:2"
UNIT = Unit("device", 3)


@given(KEYS, st.sampled_from(["device", "user"]))
def test_any_key_survives_the_way_through_a_url(key: str, kind: StageName) -> None:
    wanted = Asked(kind, key)
    assert wanted.path.isascii()
    assert routing.asked(wanted.path) == wanted


@given(KEYS, st.integers(1, 300))
def test_it_lies_where_the_engine_keeps_it(key: str, inputs: int) -> None:
    counts: dict[StageName, int] = {"device": inputs, "user": kafka.users_partitions(inputs)}
    device, user = Asked("device", key), Asked("user", key)
    assert device.unit(counts) == ("device", kafka.partition_of(key.encode(), inputs))
    assert user.unit(counts) == ("user", kafka.partition_of(key.encode(), min(16, inputs)))
    assert (device.row, user.row) == (b"d" + key.encode(), b"u" + key.encode())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/v1/state/", 404),
        ("/v1/state/device", 404),
        ("/v1/state/devices/a%7Cb", 404),
        ("http://elsewhere/v1/state/device/a%7Cb", 404),
        ("/v1/state/device/", 400),
        ("/v1/state/device/a", 400),
        ("/v1/state/device/%7Cb", 400),
        ("/v1/state/device/a%7C", 400),
        ("/v1/state/device/a%7Cb/c", 400),
        ("/v1/state/device/a%7Cb?c", 400),
        ("/v1/state/device/a%7C100%", 400),
        ("/v1/state/device/a%7C%zz", 400),
        ("/v1/state/device/a%7C%ff", 400),
        ("/v1/state/device/a|\udcff", 400),
    ],
)
def test_what_cannot_be_meant_is_refused_for_good(path: str, status: int) -> None:
    refused = routing.asked(path)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.again) == (status, False)


def test_a_key_that_was_not_encoded_is_taken_as_it_is() -> None:
    assert routing.asked("/v1/state/device/game|abc") == Asked("device", "game|abc")


def test_the_owner_tells_it_unless_it_is_recovering() -> None:
    assert routing.here(UNIT, running=True) is None
    for running, told in ((False, "recovered"), (None, "assigned anew")):
        refused = routing.here(UNIT, running)
        assert refused is not None
        assert (refused.status, refused.again) == (503, True)
        assert told in refused.reason


def test_another_worker_is_asked_by_what_it_has_noted() -> None:
    assert routing.elsewhere(UNIT, routing.note(THEIRS), OURS, forwarded=False) == Forward(THEIRS)


@pytest.mark.parametrize("noted", [None, "", "something else", routing.note(OURS), routing.note(THEIRS)])
def test_nothing_is_sent_on_twice(noted: str | None) -> None:
    refused = routing.elsewhere(UNIT, noted, OURS, forwarded=True)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.again) == (503, True)


def test_knowledge_that_is_old_or_missing_is_asked_for_again() -> None:
    for noted in (None, routing.note(OURS)):
        refused = routing.elsewhere(UNIT, noted, OURS, forwarded=False)
        assert isinstance(refused, Refusal)
        assert (refused.status, refused.again) == (503, True)


@pytest.mark.parametrize(
    "noted",
    [
        "",
        "of another program",
        THEIRS,
        *(
            routing.NOTE + url
            for url in (
                "ftp://host",
                "http://",
                "http:///path",
                "http://host:{port}",
                "http://user:secret@host",
                "http://host/?a=b",
                "http://host#part",
                "http://ho st",
                "http://host\n",
                " http://host",
                "HTTP://host",
            )
        ),
    ],
)
def test_a_worker_without_look_ups_is_never_asked(noted: str) -> None:
    refused = routing.elsewhere(UNIT, noted, OURS, forwarded=False)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.again) == (421, False)
    assert "lookup_port" in refused.reason


@given(st.text())
def test_no_note_of_anybody_breaks_it(noted: str) -> None:
    for one in (noted, routing.note(f"http://{noted}")):
        found = routing.announced(one)
        assert not found or re.fullmatch(LOOKUP_URL, found)
    assert routing.announced(routing.note("")) == ""
