"""`ringback plan --history` on the real broker."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import IsolationLevel, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.config import DAY, HOUR, App, Configuration, Endpoint, Partner, Postback, Source
from streams.config.load import load_directory
from streams.errors import RUNTIME, USAGE, Stop
from streams.kafka import partition_of, producer_settings
from streams.replay import spool
from streams.replay.history import compare
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.topics import Sent, create_topics, produce
from tests.support.waiting import eventually

__all__ = ["ringback"]

NOW = int(time.time() * 1000)
PARTITIONS = 3

FILES = """
sources:
- {topic: "%(prefix)sinstalls", record: install}
- {topic: "%(prefix)sevents", record: event}
apps: [{id: game, project: p, platform: android}]
partners: [{id: acme, fields: {key: "${env:NO_SUCH_SECRET}"}}]
postbacks:
- {id: install, app: game, partner: acme, event: install, url: "https://acme.example/i?c={click_id}&k={partner.key}"}
- {id: paid, app: game, partner: acme, event: payment, url: "https://acme.example/p?r={revenue}", status: paused}
- {id: level, app: game, partner: acme, event: "event:level", url: "https://acme.example/l?a={attempt}"}
"""
CHANGES = (
    ("/i?c=", "/install?click="),
    (", status: paused", ""),
    ("id: level, app", "id: levels, app"),
    ('"https://acme.example/l?', '"https://acme.example/l?x=1&'),
)
NEW_USER = '- {id: user, app: game, partner: acme, event: new_user, url: "https://acme.example/u?u={user_id}"}\n'


@pytest.fixture
def topics(bootstrap: str, prefix: str) -> tuple[str, str]:
    """Input topics whose records have the append times that they are given."""
    installs, events = f"{prefix}installs", f"{prefix}events"
    create_topics(bootstrap, {installs: PARTITIONS, events: PARTITIONS})
    return installs, events


def sent(device: str, at: int, **fields: Any) -> Sent:
    key = f"game|{device}".encode()
    record = {"id": f"{device}-{fields.get('event_name', 'i')}", "app_id": "game", "os_id": device, **fields}
    return Sent(json.dumps(record).encode(), key, partition_of(key, PARTITIONS), timestamp=at)


@pytest.fixture
def history(bootstrap: str, topics: tuple[str, str]) -> None:
    """Ten devices before the last 3 days, ten within; the payments of all within. They share users, two by two."""
    installs, events = topics
    touch = {"publisher_name": "acme", "click_id": "c 1"}
    old, young = NOW - 5 * DAY, NOW - 2 * DAY
    whens = {f"d{n:02}": (old if n < 10 else young) + n * 1000 for n in range(20)}
    user = {device: f"u{number // 2}" for number, device in enumerate(whens)}
    produce(bootstrap, installs, [sent(one, at, user_id=user[one], **touch) for one, at in whens.items()])
    paid = {"event_name": "payment", "revenue": 1.5}
    late = NOW - DAY
    produce(bootstrap, events, [sent(one, old + HOUR, event_name="level") for one in list(whens)[:10]])
    produce(bootstrap, events, [sent(one, late, user_id=user[one], **paid) for one in whens])
    produce(bootstrap, events, [sent(one, late + 1, event_name="level") for one in list(whens)[10:]])


def changed(text: str) -> str:
    for was, now in CHANGES:
        assert was in text
        text = text.replace(was, now)
    return text + NEW_USER


class Snapshot(NamedTuple):
    """What a program that writes, commits or makes something would change: topics, the ends of ours (uncommitted
    records included), groups.
    """

    topics: frozenset[str]
    ends: dict[tuple[str, int], int]
    groups: frozenset[str]


def snapshot(settings: Settings) -> Snapshot:
    admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers})
    there = admin.list_topics(timeout=10).topics
    ours = [name for name in there if name.startswith(settings.topic_prefix)]
    asked = {TopicPartition(name, number): OffsetSpec.latest() for name in ours for number in there[name].partitions}  # type: ignore[no-untyped-call]

    def ends() -> dict[tuple[str, int], int]:
        try:
            found = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_UNCOMMITTED)
            return {(one.topic, one.partition): end.result().offset for one, end in found.items()}
        except KafkaException as error:
            # A partition that has just been made may still look for its leader.
            raise AssertionError(str(error)) from error

    groups = admin.list_consumer_groups().result().valid
    # The broker makes topics of its own, as for its groups, when the first client asks for a coordinator.
    users = frozenset(name for name in there if not name.startswith("__"))
    return Snapshot(users, eventually(ends), frozenset(group.group_id for group in groups))


def unchanged(settings: Settings, before: Snapshot) -> None:
    after = snapshot(settings)
    assert (after.topics, after.ends) == (before.topics, before.ends)
    # Those of other tests may end meanwhile.
    assert after.groups <= before.groups


def test_the_snapshot_shows_what_is_written(settings: Settings, bootstrap: str, topics: tuple[str, str]) -> None:
    before = snapshot(settings)
    produce(bootstrap, topics[0], [Sent(b"x", partition=0)])
    assert snapshot(settings).ends != before.ends


def test_the_past_is_read_through_both_configurations(
    ringback: Run, settings: Settings, prefix: str, history: None, tmp_path: Path
) -> None:
    file = tmp_path / "game.yaml"
    file.write_text(FILES % {"prefix": prefix})
    assert ringback("apply", str(file))[0] == 0
    file.write_text(changed(FILES % {"prefix": prefix}))
    before = snapshot(settings)

    status, out, err = ringback("plan", str(file), "--history", "3d", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["generation"] == 1
    assert [(one["kind"], one["id"], one["what"]) for one in found["changes"]] == [
        ("postback", "install", "changed"),
        ("postback", "paid", "changed"),
        ("postback", "levels", "added"),
        ("postback", "user", "added"),
        ("postback", "level", "removed"),
    ]
    rows = {
        one["id"]: tuple(one[name] for name in ("before", "after", "more", "fewer", "changed"))
        for one in found["history"]["postbacks"]
    }
    assert rows == {
        "install": (10, 10, 0, 0, 10),
        "paid": (0, 20, 20, 0, 0),
        "level": (10, 0, 0, 10, 0),
        "levels": (0, 10, 10, 0, 0),
        "user": (0, 5, 5, 0, 0),
    }
    assert (found["history"]["records"], found["history"]["compared"]) == (60, 40)
    examples = {one["id"]: one["examples"] for one in found["history"]["postbacks"]}
    assert [len(examples[name]) for name in ("install", "paid", "level", "user")] == [3, 3, 3, 3]
    first = examples["install"][0]
    assert first["before"]["url"] == "https://acme.example/i?c=c%201&k=${env:NO_SUCH_SECRET}"
    assert first["after"]["url"] == "https://acme.example/install?click=c%201&k=${env:NO_SUCH_SECRET}"
    assert examples["levels"][0]["after"]["url"] == "https://acme.example/l?x=1&a={attempt}"
    assert [examples[name][0]["why"] for name in ("paid", "level")] == ["paused", None]
    assert (examples["level"][0]["record_id"], examples["level"][0]["after"]) == (
        f"{examples['level'][0]['device_key'].partition('|')[2]}-level",
        None,
    )

    status, out, err = ringback("plan", str(file), "--history", "3d", "--exit-code")
    assert status == 3
    assert "postback paid: paused → active" in out
    assert ["paid", "0", "20", "20", "0", "0"] in [line.split() for line in out.splitlines()]
    assert "    was https://acme.example/i?c=c%201" in out
    assert all(len(line) <= 80 for line in out.splitlines() if "https://" not in line)
    assert "    was none: the postback is paused (paused)" in out
    assert "read 60 records, the oldest of" in err
    assert "look new" not in err
    unchanged(settings, before)


def test_before_the_first_apply_every_job_is_one_more(
    ringback: Run, settings: Settings, prefix: str, history: None, tmp_path: Path
) -> None:
    file = tmp_path / "game.yaml"
    file.write_text(FILES % {"prefix": prefix})
    before = snapshot(settings)
    status, out, err = ringback("plan", str(file), "--history", "30d", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["generation"] is None
    assert {one["id"]: (one["before"], one["more"]) for one in found["history"]["postbacks"]} == {
        "install": (0, 20),
        "paid": (0, 0),
        "level": (0, 20),
    }
    # Not even the config topic is made.
    unchanged(settings, before)


def test_a_new_source_without_a_topic_is_taken_as_empty(
    ringback: Run, prefix: str, history: None, tmp_path: Path
) -> None:
    file = tmp_path / "game.yaml"
    file.write_text(FILES % {"prefix": prefix})
    assert ringback("apply", str(file))[0] == 0
    more = f'- {{topic: "{prefix}refunds", record: event}}\napps:'
    file.write_text((FILES % {"prefix": prefix}).replace("apps:", more))
    status, out, err = ringback("plan", str(file), "--history", "3d")
    assert (status, "nothing would change: the same 20 jobs" in out) == (0, True), out + err
    assert f"the topic {prefix}refunds does not exist" in err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [(("--history", "soon"), USAGE, "is not a duration"), (("--history", "3d"), RUNTIME, "none of the input topics")],
)
def test_what_cannot_be_compared_is_told(
    ringback: Run, prefix: str, tmp_path: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    file = tmp_path / "game.yaml"
    file.write_text(FILES % {"prefix": prefix})
    found, _, err = ringback("plan", str(file), *arguments)
    assert (found, words in err, "Traceback" in err) == (status, True, False), err


def test_out_of_the_shadow_jobs_are_sent_that_were_only_decided(
    ringback: Run, prefix: str, history: None, tmp_path: Path
) -> None:
    file = tmp_path / "game.yaml"
    file.write_text((FILES % {"prefix": prefix}).replace("status: paused", "status: shadow"))
    assert ringback("apply", str(file))[0] == 0
    file.write_text((FILES % {"prefix": prefix}).replace(", status: paused", ""))
    status, out, err = ringback("plan", str(file), "--history", "3d")
    assert status == 0, err
    assert "paid leaves the shadow: its 20 jobs would be sent; until now none is" in out
    assert ["paid", "20", "20", "0", "0", "0"] in [line.split() for line in out.splitlines()]


def test_topics_without_their_beginnings_are_told(
    settings: Settings, bootstrap: str, prefix: str, topics: tuple[str, str]
) -> None:
    record = sent("a", NOW, event_name="level")
    produce(bootstrap, topics[1], [record, record])
    assert not compare(settings, None, everything(prefix), NOW - DAY, quiet).cut
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for deleted in admin.delete_records([TopicPartition(topics[1], record.partition or 0, 1)]).values():
        deleted.result(10)
    found = compare(settings, None, everything(prefix), NOW - DAY, quiet)
    assert (found.cut, found.records) == (True, 1)


def test_nothing_to_change_reads_nothing(ringback: Run, prefix: str, tmp_path: Path) -> None:
    file = tmp_path / "game.yaml"
    file.write_text(FILES % {"prefix": prefix})
    assert ringback("apply", str(file))[0] == 0
    status, out, _ = ringback("plan", str(file), "--history", "3d", "--exit-code")
    assert (status, out) == (0, "nothing to change\n")


def everything(postback: str = "", app: str = "game") -> Configuration:
    """What the tests below compare with nothing: one postback on every level reached."""
    return Configuration(
        generation=0,
        sources=(
            Source(topic=f"{postback}installs", record="install"),
            Source(topic=f"{postback}events", record="event"),
        ),
        apps=(App(id=app, project="p", platform="android", bundle_id=app, device_key=("os_id",)),),
        partners=(Partner(id="acme", name="acme"),),
        postbacks=(
            Postback(
                id="level",
                title="level",
                app=app,
                partner="acme",
                event="event:level",
                delivery_method="all",
                endpoint=Endpoint(url="https://acme.example/"),
            ),
        ),
    )


def quiet(records: int, total: int) -> None:
    """Nobody looks."""


def test_a_record_counts_by_its_append_time_even_if_it_was_held_until_later(
    settings: Settings, bootstrap: str, prefix: str, topics: tuple[str, str]
) -> None:
    since = NOW - DAY
    # Neither has an install: both are released within the history, and one was appended before.
    produce(bootstrap, topics[1], [sent("a", since - 1, event_name="level"), sent("b", since, event_name="level")])
    found = compare(settings, None, everything(prefix), since, quiet)
    assert [(row.after, row.more) for row in found.postbacks.values()] == [(1, 1)]
    assert [one.device_key for one in found.postbacks["level"].examples["more"]] == ["game|b"]
    assert (found.records, found.compared, found.first) == (2, 1, since - 1)


def test_states_that_go_to_the_disk_say_the_same(
    settings: Settings, prefix: str, history: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "game.yaml"
    file.write_text((FILES % {"prefix": prefix}).replace(", status: paused", "") + NEW_USER)
    new = load_directory(file)
    since = NOW - 3 * DAY
    in_memory = compare(settings, None, new, since, quiet).postbacks
    monkeypatch.setattr(spool, "IN_MEMORY", 0)
    assert compare(settings, None, new, since, quiet).postbacks == in_memory
    assert {name: row.more for name, row in in_memory.items()} == {"install": 10, "paid": 20, "level": 10, "user": 5}


def test_what_a_worker_would_refuse_is_refused(settings: Settings, bootstrap: str, prefix: str) -> None:
    create_topics(bootstrap, {f"{prefix}installs": 2, f"{prefix}events": 3})
    with pytest.raises(Stop, match="differ in their number of partitions"):
        compare(settings, None, everything(prefix), NOW, quiet)


def test_a_record_that_lies_wrong_is_told_with_the_configuration_by_which_it_does(
    settings: Settings, bootstrap: str, prefix: str, topics: tuple[str, str]
) -> None:
    right = sent("a", NOW, event_name="level")
    produce(bootstrap, topics[1], [right._replace(partition=((right.partition or 0) + 1) % PARTITIONS)])
    configuration = everything(prefix)
    assert compare(settings, None, everything(prefix, "other"), NOW, quiet).records == 1
    with pytest.raises(Stop, match=r"by the new configuration: .* belongs to partition"):
        compare(settings, None, configuration, NOW, quiet)
    with pytest.raises(Stop, match="by the live configuration: "):
        compare(settings, configuration, configuration, NOW, quiet)


def test_only_what_is_committed_is_read(
    settings: Settings, bootstrap: str, prefix: str, topics: tuple[str, str]
) -> None:
    record = sent("a", NOW, event_name="level")
    producer = Producer(producer_settings(settings, transactional_id=f"{prefix}t"))
    producer.init_transactions(30)
    for end in (producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        producer.produce(topics[1], record.value, record.key, record.partition or 0, timestamp=NOW)
        producer.flush(10)
        end(10)
    found = compare(settings, None, everything(prefix), NOW - DAY, quiet)
    assert (found.records, found.postbacks["level"].more) == (1, 1)
