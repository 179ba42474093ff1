"""`ringback doctor` on the real broker: what is made wrong is named, with what to do about it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)

from schemas.config import Configuration
from streams import kafka
from streams.doctor import clocks, cluster, groups, reading
from streams.doctor.checks import CHECKS, examine
from streams.doctor.findings import Finding
from streams.doctor.site import Site, wall
from streams.errors import RUNTIME
from streams.local.broker import EmbeddedBroker
from streams.local.jars import KAFKA_VERSION
from streams.settings import Settings, environment
from tests.support.commands import Run, ringback
from tests.support.fixtures import MakeSettings
from tests.support.processes import Start
from tests.support.topics import Sent, create_topics, produce, read_topic
from tests.support.waiting import eventually

__all__ = ["ringback"]

#: What `ringback doctor` says of a check: its verdict, and each thing found with its remedy.
Told = tuple[str, str]
Doctor = Callable[[], Mapping[str, Told]]

APPLIED = """
sources: [{{topic: {prefix}in, record: install}}, {{topic: {prefix}ev, record: event}}]
apps: [{{id: game, platform: android, project: p}}]
partners: [{{id: acme, name: Acme, fields: {{key: "{key}"}}}}]
postbacks:
  - {{id: acme-install, app: game, partner: acme, event: install, url: "{partner}/i?k={{partner.key}}"}}
"""


@pytest.fixture
def doctor(ringback: Run) -> Doctor:
    """Runs the command; its exit status must fit what it says."""

    def look() -> Mapping[str, Told]:
        status, out, err = ringback("doctor", "--json")
        assert err == ""
        report = json.loads(out)
        assert report["ok"] == (status == 0)
        assert status in (0, RUNTIME)
        return {
            check["name"]: (
                check["verdict"],
                "\n".join(f"{one['found']} → {one['remedy']}" for one in check["findings"]),
            )
            for check in report["checks"]
        }

    return look


@pytest.fixture
def apply(ringback: Run, prefix: str, tmp_path: Path) -> Callable[..., None]:
    """Applies the configuration above."""

    def configured(key: str = "public", partner: str = "https://acme.example") -> None:
        (tmp_path / "config.yaml").write_text(APPLIED.format(prefix=prefix, key=key, partner=partner))
        status, _, err = ringback("apply", str(tmp_path / "config.yaml"))
        assert status == 0, err

    return configured


@pytest.fixture
def system(apply: Callable[..., None], ringback: Run) -> None:
    """A configuration and all topics."""
    apply()
    assert ringback("topics", "create")[0] == 0


def alter(bootstrap: str, topic: str, key: str, value: str) -> None:
    """Set a topic's configuration, as an operator might."""
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(30)


def wrong(told: Mapping[str, Told]) -> list[str]:
    return [name for name, (verdict, _) in told.items() if verdict == "wrong"]


def joined(told: Mapping[str, Told]) -> Mapping[str, Told]:
    """What was told, once worker and sender are in their groups."""
    assert told["groups"][0] == "ok", told["groups"]
    return told


def test_a_system_that_runs_is_healthy_and_nothing_is_left_behind(
    system: None, doctor: Doctor, start: Start, ringback: Run, settings: Settings, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "records.jsonl").write_text('{"app_id": "game", "google_aid": "a"}\n')
    assert ringback("feed", str(tmp_path / "records.jsonl"), "--source", f"{prefix}in")[0] == 0
    start("worker")
    start("sender")
    told = eventually(lambda: joined(doctor()), within=60, every=1, what="a worker and a sender in their groups")
    assert wrong(told) == []
    assert list(told) == [check.name for check in CHECKS]
    assert f"1 broker, Kafka {KAFKA_VERSION.rpartition('.')[0]} → " in told["broker"][1]
    assert "generation 1, applied 20" in told["configuration"][1]
    assert f"{prefix}in: 4 partitions" in told["inputs"][1]
    assert told["topics"][0] == "ok"
    assert f"{prefix}in: the newest 1 records lie where their device key says" in told["keys"][1]
    assert told["secrets"] == ("ok", "none are needed → ")
    assert told["clock"][0] == "ok"
    assert f"worker group {prefix}worker: 1 process" in told["groups"][1]
    assert f"sender group {prefix}sender: 1 process" in told["groups"][1]
    names = kafka.Topics(prefix)
    assert [record for topic in names.retries() for record in read_topic(settings.bootstrap_servers, topic)] == []


def test_before_anything_is_made_it_says_what_to_do(doctor: Doctor, prefix: str) -> None:
    told = doctor()
    assert wrong(told) == ["configuration", "topics"]
    assert told["configuration"][1].endswith("→ ringback apply DIR")
    assert f"missing: {prefix}users, " in told["topics"][1]
    assert told["topics"][1].endswith("→ ringback topics create")


def test_input_topics_that_are_missing_or_unequal_are_wrong(
    apply: Callable[..., None], doctor: Doctor, bootstrap: str, prefix: str
) -> None:
    apply()
    assert f"missing: {prefix}in, {prefix}ev → ringback topics create" in doctor()["inputs"][1]
    create_topics(bootstrap, {f"{prefix}in": 2, f"{prefix}ev": 3})
    verdict, text = doctor()["inputs"]
    assert verdict == "wrong"
    assert f"{prefix}in has 2 partitions, {prefix}ev has 3" in text
    assert f"{prefix}ev: message.timestamp.type is CreateTime" in text
    assert f"--entity-name {prefix}ev --add-config message.timestamp.type=LogAppendTime" in text


def test_topics_that_are_kept_wrongly_are_named_with_the_command_that_mends_them(
    system: None, doctor: Doctor, bootstrap: str, prefix: str
) -> None:
    names = kafka.Topics(prefix)
    alter(bootstrap, names.delivery, "retention.ms", "3600000")
    alter(bootstrap, names.receipts, "retention.ms", "3600000")
    alter(bootstrap, names.control, "cleanup.policy", "delete")
    alter(bootstrap, names.retry("8s"), "message.timestamp.type", "CreateTime")
    alter(bootstrap, names.dead_letters, "max.message.bytes", "1000")
    for topic in (names.retry("16s"), names.decisions):
        alter(bootstrap, topic, "max.message.bytes", "100")
    changelog = f"{prefix}worker-device-changelog"
    create_topics(bootstrap, {changelog: 3}, {"cleanup.policy": "compact", "max.message.bytes": "100"})
    create_topics(bootstrap, {f"{prefix}worker-user-changelog": 2}, {"cleanup.policy": "compact"})
    owners = f"{prefix}worker-owners"
    create_topics(bootstrap, {owners: 2}, {"cleanup.policy": "delete"})
    verdict, text = doctor()["topics"]
    assert verdict == "wrong"
    for topic, problem, remedy in (
        (names.delivery, "retention.ms is 3600000 (1h), expected 604800000 (7d)", "retention.ms=604800000"),
        (names.receipts, "retention.ms is 3600000 (1h), expected 2592000000 (30d)", "retention.ms=2592000000"),
        (names.control, "cleanup.policy is delete, expected compact", "cleanup.policy=compact"),
        (names.retry("8s"), "message.timestamp.type is CreateTime", "message.timestamp.type=LogAppendTime"),
        (names.dead_letters, "max.message.bytes is 1000", "max.message.bytes=2097152"),
        (names.retry("16s"), "max.message.bytes is 100, expected 1048576", "max.message.bytes=1048576"),
        (names.decisions, "max.message.bytes is 100, expected 1048576", "max.message.bytes=1048576"),
        (changelog, "max.message.bytes is 100, expected at least 1048576", "max.message.bytes=1048576"),
    ):
        (line,) = [line for line in text.splitlines() if line.startswith(f"{topic}: ")]
        assert problem in line
        assert f"--entity-name {topic} " in line
        assert remedy in line
    assert f"{changelog} has 3 partitions, the input topics have 4" in text
    assert f"{prefix}worker-user-changelog has 2 partitions, the users topic must have 4" in text
    assert f"{owners}: has 2 partitions, expected 1" in text
    assert f"{owners}: cleanup.policy is delete, expected compact" in text


def test_more_replicas_in_step_than_there_are_replicas_are_not_asked_for(
    system: None, doctor: Doctor, bootstrap: str, prefix: str
) -> None:
    names = kafka.Topics(prefix)
    alter(bootstrap, names.delivery, "min.insync.replicas", "2")
    produce(bootstrap, names.delivery, [Sent(b"x")], acks="all")
    assert doctor()["topics"][0] == "ok"


def test_the_largest_job_and_the_largest_batch_fit_into_our_topics(system: None, settings: Settings) -> None:
    failed: list[object] = []
    producer = Producer(kafka.producer_settings(settings, message_max_bytes=8_000_000, linger_ms=200))
    for topic in kafka.Topics(settings.topic_prefix).retries()[:1]:
        for size in (1_000_000, *([1_000] * 2_000)):
            producer.produce(
                topic,
                os.urandom(size),
                b"k" * 8_000 if size > 1_000 else b"k",
                0,
                lambda error, _: failed.append(error),
            )
    assert producer.flush(30) == 0
    assert set(failed) == {None}


def test_a_topic_of_ours_with_another_count_is_wrong(
    apply: Callable[..., None], ringback: Run, doctor: Doctor, bootstrap: str, prefix: str
) -> None:
    apply()
    create_topics(bootstrap, {f"{prefix}in": 2, f"{prefix}ev": 2, f"{prefix}delivery": 1, f"{prefix}receipts": 3})
    verdict, text = doctor()["topics"]
    assert verdict == "wrong"
    assert f"{prefix}delivery: has 1 partitions, expected 2" in text
    assert f"--alter --topic {prefix}delivery --partitions 2" in text
    assert f"{prefix}receipts: has 3 partitions, expected 2; Kafka cannot take any away" in text


def test_records_that_lie_wrong_or_cannot_be_read_are_found(
    system: None, doctor: Doctor, bootstrap: str, prefix: str
) -> None:
    belongs = kafka.partition_of(b"game|a", 4)
    record = b'{"app_id": "game", "google_aid": "a", "event_name": "launch"}'
    produce(bootstrap, f"{prefix}ev", [Sent(record, b"game|a", (belongs + 1) % 4), Sent(b"{", b"x")])
    # Older than the newest few hundred of its partition: not looked at.
    install = b'{"app_id": "game", "google_aid": "a"}'
    produce(
        bootstrap,
        f"{prefix}in",
        [Sent(install, b"a", (belongs + 1) % 4), *([Sent(b'{"app_id": "?"}', b"a", (belongs + 1) % 4)] * 200)],
    )
    told = doctor()
    verdict, text = told["keys"]
    assert verdict == "wrong"
    assert (
        f"{prefix}ev: 1 of the newest 2 records lie in another partition than their device's: their Kafka key" in text
    )
    assert f"device 'game|a' belongs to partition {belongs}" in text
    assert "murmur2_random" in text
    assert f"{prefix}ev: 1 of the newest 2 records become dead letters (undecodable 1)" in text
    assert f"{prefix}in: 200 of the newest 200 records are of apps that are not configured ('?' 200)" in text


def test_behind_an_open_transaction_nobody_can_read_and_the_rest_is_judged(
    system: None, doctor: Doctor, settings: Settings, bootstrap: str, prefix: str
) -> None:
    produce(bootstrap, f"{prefix}in", [Sent(b"{", b"a", 0), Sent(b"{", b"a", 1)])
    writing = Producer(kafka.producer_settings(settings, transactional_id=f"{prefix}writing"))
    writing.init_transactions(30)
    writing.begin_transaction()
    for _ in range(cluster.NEWEST + 1):
        writing.produce(f"{prefix}in", b"{", b"a", 1)
    assert writing.flush(30) == 0
    told = doctor()
    writing.abort_transaction(30)
    assert told["keys"][0] == "wrong"
    assert f"{prefix}in: 2 of the newest 2 records become dead letters (undecodable 2)" in told["keys"][1]
    assert "in time" not in told["keys"][1]


def test_where_there_are_many_partitions_fewer_records_of_each_are_looked_at(
    system: None, bootstrap: str, prefix: str, settings: Settings
) -> None:
    produce(bootstrap, f"{prefix}in", [Sent(b"{", b"a", number) for number in range(4) for _ in range(20)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster, "NEWEST_IN_ALL", 32)  # for eight partitions
        assert f"{prefix}in: 16 of the newest 16 records" in look_at(settings, "keys")


def test_partitions_that_cannot_be_read_in_time_are_a_warning(
    system: None, bootstrap: str, prefix: str, settings: Settings
) -> None:
    produce(bootstrap, f"{prefix}in", [Sent(b"{", b"a", 0)])
    with pytest.MonkeyPatch.context() as patch:
        committed = reading.committed
        patch.setattr(reading, "committed", lambda settings, spans, seconds: committed(settings, spans, -1.0))
        text = look_at(settings, "keys")
    assert f"warning {prefix}in: 1 of 4 partitions were not read to their end in time" in text
    assert f"{prefix}in: no records yet" not in text
    assert f"ok {prefix}ev: no records yet" in text


def test_what_the_check_of_the_clock_leaves_behind_is_nothing_to_read(system: None, doctor: Doctor) -> None:
    doctor()
    assert "no process is in it, nothing to read" in doctor()["groups"][1].splitlines()[1]


def test_a_group_that_may_not_be_looked_at_is_not_called_empty(
    make_settings: MakeSettings, tmp_path: Path, prefix: str
) -> None:
    rules = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    with EmbeddedBroker(tmp_path / "guarded", extra=rules) as guarded:
        settings = make_settings(bootstrap_servers=guarded.bootstrap)
        denied = AclBinding(
            ResourceType.GROUP,
            settings.worker_id,
            ResourcePatternType.LITERAL,
            "User:ANONYMOUS",
            "*",
            AclOperation.DESCRIBE,
            AclPermissionType.DENY,
        )
        admin = AdminClient({"bootstrap.servers": guarded.bootstrap})
        admin.create_acls([denied])[denied].result(30)
        site = Site(5.0, found_settings=settings, found_admin=admin)
        site.found_configuration = Configuration(generation=1, sources=(), apps=(), partners=(), postbacks=())

        def told() -> list[Finding]:
            worker, sender = groups.groups(site)
            assert "cannot be told: " in worker.found
            return [worker, sender]

        worker, sender = eventually(told, within=20, what="the rule in force")
    assert (worker.verdict, "start one" in worker.remedy) == ("warning", False)
    assert "no process is in it" in sender.found


def test_an_address_that_the_senders_refuse_is_a_warning(
    apply: Callable[..., None], doctor: Doctor, make_settings: MakeSettings
) -> None:
    apply(partner="http://10.9.8.7:81")
    verdict, text = doctor()["egress"]
    assert verdict == "warning"
    assert "postback acme-install calls 10.9.8.7, which is not public and not in RINGBACK_EGRESS_ALLOW here" in text
    assert "export RINGBACK_EGRESS_ALLOW=127.0.0.0/8,10.9.8.7/32 " in text
    assert look_at(make_settings(egress_allow="10.0.0.0/8"), "egress").startswith("ok 1 postback calls an address")


def test_a_secret_that_this_environment_lacks_is_a_warning(
    apply: Callable[..., None], doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCTORS_KEY", raising=False)
    apply(key="${env:DOCTORS_KEY}")
    verdict, text = doctor()["secrets"]
    assert verdict == "warning"
    assert "no value for ${env:DOCTORS_KEY} here, which is needed by partner acme" in text
    assert "export DOCTORS_KEY" in text
    monkeypatch.setenv("DOCTORS_KEY", "hunter2")
    assert doctor()["secrets"] == ("ok", "the one that is needed has a value → ")


def test_a_configuration_that_cannot_be_read_is_wrong_and_the_last_good_one_is_told(
    apply: Callable[..., None], doctor: Doctor, bootstrap: str, prefix: str
) -> None:
    apply()
    produce(bootstrap, f"{prefix}config", [Sent(b"{", b"2/app/x"), Sent(b"{}", b"generation/2")])
    verdict, text = doctor()["configuration"]
    assert verdict == "wrong"
    assert "cannot be used: generation 2: " in text
    assert "generation 1, applied" in text


def test_a_clock_that_differs_from_the_brokers_is_found(system: None, settings: Settings) -> None:
    given: list[dict[str, object]] = []

    def producer(options: dict[str, object]) -> Producer:
        given.append(options)
        return Producer(options)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(settings).items():
            patch.setenv(name, value)
        patch.setattr(clocks, "Producer", producer)
        shifts = ((0, "ok", "less than"), (5_000, "warning", "s ahead of"), (-60_000, "wrong", "s behind"))
        for shift, verdict, said in shifts:
            site = Site(5.0, now=lambda shift=shift: wall() + shift)  # type: ignore[misc]
            (clock,) = [one for one in examine(site) if one.check.name == "clock"]
            assert clock.verdict == verdict, clock.findings
            assert said in clock.findings[0].found
    # Killed in the middle, it must not hide jobs for a minute.
    assert {options["transaction.timeout.ms"] for options in given} == {10_000}


def test_a_state_directory_that_cannot_be_written_is_wrong(make_settings: MakeSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = look_with(make_settings(state_dir=tmp_path / "file" / "state"), "disk")
    assert told[0] == "wrong"
    assert "cannot be written: Not a directory" in told[1]
    assert "RINGBACK_STATE_DIR" in told[1]
    ok, text = look_with(make_settings(state_dir=tmp_path / "new" / "state"), "disk")
    assert ok != "wrong"
    assert "can be written" in text
    assert not (tmp_path / "new").exists()


def test_a_port_that_somebody_else_has_is_wrong(make_settings: MakeSettings, start: Start) -> None:
    with reserved() as held:
        port = held.getsockname()[1]
        free = make_settings(sender_metrics_port=port)
        assert f"sender: port {port} is free" in look_with(free, "ports")[1]
        held.listen()
        verdict, text = look_with(free, "ports")
        assert verdict == "wrong"
        assert f"sender: 127.0.0.1:{port} cannot be opened: Address already in use" in text
        assert "RINGBACK_SENDER_METRICS_PORT" in text
    with reserved() as held:
        port = held.getsockname()[1]
        ours = make_settings(sender_metrics_port=port)
        start("sender", with_settings=ours)
        answers = f"sender: port {port} answers: not ready"
        assert eventually(lambda: answers in look_with(ours, "ports")[1], within=20)


def reserved() -> socket.socket:
    """A port that nobody else is given, and that can be opened for as long as this socket does not listen."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


def look_at(settings: Settings, name: str) -> str:
    """What one check of the whole system says: a line for each finding, after its verdict."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment(settings).items():
            patch.setenv(variable, value)
        (looked,) = [one for one in examine(Site(5.0)) if one.check.name == name]
    return "\n".join(f"{one.verdict} {one.found}" for one in looked.findings)


def look_with(settings: Settings, name: str) -> Told:
    """What one check of this machine says with these settings; it needs no broker."""
    site = Site(1.0, found_settings=settings)
    (looked,) = examine(site, [check for check in CHECKS if check.name == name])
    return looked.verdict, "\n".join(f"{one.found} → {one.remedy}" for one in looked.findings)
