"""The way of a configuration through a real Kafka: applied, followed, exported, and what goes wrong on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from schemas.config import Configuration
from schemas.control import Control, Target, Unreadable
from streams import kafka
from streams.config import control, follow, topic
from streams.config.apply import WouldRemove, apply, plan
from streams.config.compacted import MissingTopic, Unreachable
from streams.config.export import export
from streams.config.problems import ConfigurationErrors
from streams.errors import Stop
from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.support.fixtures import MakeSettings
from tests.support.topics import Sent, create_topics, produce

APP = "apps:\n- {id: game, platform: android}\n"
PARTNERS = "partners:\n- {id: acme, templates: {install: {url: 'https://acme.example/i?c={click_id}'}}}\n"
POSTBACK = "postbacks:\n- {id: acme-install, app: game, partner: acme, event: install}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "configuration"
    path.mkdir()
    (path / "all.yaml").write_text(APP + PARTNERS + POSTBACK)
    return path


class Listener:
    """Remembers what a follower told."""

    def __init__(self, settings: Settings) -> None:
        self.changes: list[Configuration] = []
        self.refused: list[topic.Refused] = []
        self.follower = follow.ConfigurationFollower(settings, self.changes.append, self.refused.append)


@pytest.fixture
def listen(settings: Settings) -> Iterator[Callable[[], Listener]]:
    listeners: list[Listener] = []

    def start() -> Listener:
        listener = Listener(settings)
        listeners.append(listener)
        listener.follower.start()
        return listener

    yield start
    for listener in listeners:
        listener.follower.stop()


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_an_applied_directory_is_the_configuration_in_force(settings: Settings, folder: Path) -> None:
    applied = apply(settings, folder)
    assert (applied.generation, applied.written) == (1, True)
    assert [str(change) for change in applied.added] == [
        "source installs: added",
        "source events: added",
        "app game: added",
        "partner acme: added",
        "postback acme-install: added",
    ]
    current = follow.read_current(settings)
    assert current is not None
    assert current.generation == 1
    assert current.postbacks[0].endpoint.url == "https://acme.example/i?c={click_id}"


def test_applying_the_same_again_makes_no_new_generation(settings: Settings, folder: Path) -> None:
    apply(settings, folder)
    again = apply(settings, folder)
    assert (again.generation, again.written) == (1, False)
    assert not plan(settings, folder).difference


def test_removing_needs_prune(settings: Settings, folder: Path) -> None:
    apply(settings, folder)
    (folder / "all.yaml").write_text(APP + PARTNERS)
    with pytest.raises(WouldRemove) as stopped:
        apply(settings, folder)
    assert "postback acme-install: removed" in str(stopped.value)
    current = follow.read_current(settings)
    assert current is not None
    assert len(current.postbacks) == 1
    applied = apply(settings, folder, prune=True)
    assert [change.id for change in applied.removed] == ["acme-install"]
    current = follow.read_current(settings)
    assert current is not None
    assert (current.generation, current.postbacks) == (2, ())


def test_a_mistake_stops_an_apply_before_kafka_is_asked(make_settings: MakeSettings, folder: Path) -> None:
    (folder / "all.yaml").write_text(APP.replace("android", "andriod"))
    with pytest.raises(ConfigurationErrors):
        apply(make_settings(bootstrap_servers="127.0.0.1:1"), folder)


def test_a_source_may_not_be_a_topic_of_ours(settings: Settings, folder: Path) -> None:
    (folder / "all.yaml").write_text(f"sources: [{{topic: {settings.topic_prefix}delivery, record: event}}]\n")
    with pytest.raises(ConfigurationErrors, match="Ringback's own"):
        apply(settings, folder)


def test_what_is_exported_changes_nothing_when_it_is_applied(settings: Settings, folder: Path, tmp_path: Path) -> None:
    apply(settings, folder)
    export(settings, tmp_path / "exported")
    assert apply(settings, tmp_path / "exported", prune=True).written is False


def test_an_export_refuses_a_directory_with_other_yaml_files(settings: Settings, folder: Path) -> None:
    apply(settings, folder)
    with pytest.raises(Stop, match=r"all\.yaml"):
        export(settings, folder)


def test_an_apply_is_fenced_by_one_that_comes_in_between(
    settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = follow.read
    others: list[int] = []

    def read_slowly(settings: Settings) -> object:
        found = read(settings)
        if not others:
            others.append(0)
            others[0] = apply(settings, folder).generation
        return found

    monkeypatch.setattr(follow, "read", read_slowly)
    with pytest.raises(Stop, match="another apply"):
        apply(settings, folder)
    current = read(settings)[0]
    assert current is not None
    assert current.generation == others[0] == 1


def test_only_the_newest_generations_are_kept(settings: Settings, folder: Path) -> None:
    for number in range(topic.KEPT + 3):
        (folder / "all.yaml").write_text(APP + PARTNERS + POSTBACK.replace("}", f", title: t{number}}}"))
        apply(settings, folder)
    generations = {topic.generation_of(key) for key in follow.read(settings)[1]}
    assert generations == set(range(4, topic.KEPT + 4))
    kept = follow.read_generation(settings, 5)
    assert kept is not None
    assert kept.postbacks[0].title == "t4"
    current = follow.read_current(settings)
    assert current is not None
    assert current.postbacks[0].title == f"t{topic.KEPT + 2}"


def test_a_follower_switches_at_each_generation(
    settings: Settings, folder: Path, listen: Callable[[], Listener]
) -> None:
    apply(settings, folder)
    listener = listen()
    first = listener.follower.wait_first(20)
    assert first is not None
    assert first.generation == 1
    (folder / "all.yaml").write_text(APP + PARTNERS + POSTBACK.replace("}", ", status: paused}"))
    apply(settings, folder)
    until(lambda: len(listener.changes) == 2)
    assert listener.changes[1].postbacks[0].status == "paused"
    assert listener.follower.current == listener.changes[1]
    assert not listener.refused


def test_a_follower_waits_for_a_topic_that_does_not_exist_yet(
    settings: Settings, folder: Path, listen: Callable[[], Listener]
) -> None:
    listener = listen()
    assert listener.follower.wait_first(1.5) is None
    apply(settings, folder)
    assert listener.follower.wait_first(20) is not None


def test_a_late_follower_is_told_of_the_newest_generation_only(
    settings: Settings, folder: Path, listen: Callable[[], Listener]
) -> None:
    for number in range(3):
        (folder / "all.yaml").write_text(APP + PARTNERS + POSTBACK.replace("}", f", title: t{number}}}"))
        apply(settings, folder)
    listener = listen()
    assert listener.follower.wait_first(20) is not None
    assert [each.generation for each in listener.changes] == [3]


def test_a_generation_that_cannot_be_read_never_replaces_a_good_one(
    settings: Settings, bootstrap: str, folder: Path, listen: Callable[[], Listener]
) -> None:
    apply(settings, folder)
    listener = listen()
    assert listener.follower.wait_first(20) is not None
    produce(
        bootstrap,
        kafka.Topics(settings.topic_prefix).config,
        [
            Sent(b'{"id": 5}', b"2/app/game", 0),
            Sent(b'{"generation": 2, "applied_at": 0, "counts": {"app": 1}}', b"generation/2", 0),
            Sent(b"\xff", b"nonsense", 0),
        ],
    )
    until(lambda: len(listener.refused) == 2)
    assert listener.refused[0].generation == 2
    assert listener.follower.current is not None
    assert listener.follower.current.generation == 1
    late = listen()
    assert late.follower.wait_first(20) is not None
    until(lambda: len(late.refused) == 2)
    # The next good one passes over the number of the bad one.
    (folder / "all.yaml").write_text(APP + PARTNERS + POSTBACK.replace("}", ", status: paused}"))
    assert apply(settings, folder).generation == 3
    until(lambda: listener.follower.current is not None and listener.follower.current.generation == 3)


def test_a_generation_is_unseen_until_its_transaction_is_committed(
    settings: Settings, folder: Path, listen: Callable[[], Listener]
) -> None:
    apply(settings, folder)
    listener = listen()
    first = listener.follower.wait_first(20)
    assert first is not None
    name = kafka.Topics(settings.topic_prefix).config
    second = Configuration(generation=2, sources=first.sources, apps=first.apps, partners=first.partners, postbacks=())
    producer = Producer(kafka.producer_settings(settings, transactional_id=f"{settings.topic_prefix}test"))
    producer.init_transactions(20)
    for finish in (producer.abort_transaction, producer.commit_transaction):
        producer.begin_transaction()
        for key, value in topic.encode(second, 0):
            producer.produce(name, value=value, key=key, partition=0)
        producer.flush(20)
        time.sleep(0.5)
        assert len(listener.changes) == 1
        finish(20)
    until(lambda: len(listener.changes) == 2)


def test_a_configuration_that_cannot_be_put_in_force_counts_as_refused(settings: Settings, folder: Path) -> None:
    refused: list[topic.Refused] = []

    def fail(configuration: Configuration) -> None:
        raise ValueError("a template of a newer version")

    follower = follow.ConfigurationFollower(settings, fail, refused.append)
    apply(settings, folder)
    follower.start()
    try:
        until(lambda: bool(refused))
        assert "a template of a newer version" in refused[0].reason
        assert follower.current is None
        assert follower.alive
    finally:
        follower.stop()


def test_a_follower_without_a_broker_waits_and_stops_quickly(make_settings: MakeSettings) -> None:
    follower = follow.ConfigurationFollower(make_settings(bootstrap_servers="127.0.0.1:1"), print, print)
    follower.start()
    waiter = threading.Thread(target=follower.wait_first)
    waiter.start()
    time.sleep(1)
    begun = time.monotonic()
    follower.stop()
    waiter.join(2)
    assert time.monotonic() - begun < 3
    assert not follower.alive
    assert not waiter.is_alive()


def test_a_follower_goes_on_when_the_broker_comes_back(tmp_path: Path, folder: Path) -> None:
    with EmbeddedBroker(tmp_path / "kafka") as own:
        settings = Settings(bootstrap_servers=own.bootstrap, topic_prefix="t.")  # type: ignore[call-arg]
        apply(settings, folder)
        listener = Listener(settings)
        listener.follower.start()
        try:
            assert listener.follower.wait_first(20) is not None
            own.restart()
            (folder / "all.yaml").write_text(APP + PARTNERS + POSTBACK.replace("}", ", status: paused}"))
            apply(settings, folder)
            until(lambda: len(listener.changes) == 2, 30)
            assert not listener.refused
        finally:
            listener.follower.stop()


def test_reading_says_what_is_missing(settings: Settings, make_settings: MakeSettings) -> None:
    with pytest.raises(MissingTopic):
        follow.read_current(settings)
    with pytest.raises(Unreachable):
        follow.read_current(make_settings(bootstrap_servers="127.0.0.1:1"), timeout=1)


def test_pauses_and_holds_are_followed(settings: Settings, bootstrap: str) -> None:
    name = kafka.Topics(settings.topic_prefix).control
    create_topics(bootstrap, {name: 1}, {"cleanup.policy": "compact"})
    paused = Control(paused=True, reason="410")
    held = Control(hold_until=1_900_000_000_000)
    control.write_control(settings, "partner", "acme", held)
    control.write_control(settings, "partner", "acme", paused)
    control.write_control(settings, "postback", "a/b", held)
    control.write_control(settings, "postback", "a/b", None)
    produce(bootstrap, name, [Sent(b"{", b"partner/other", 0)])
    told: list[tuple[Target, Control | None]] = []
    unreadable: list[Unreadable] = []
    follower = control.ControlFollower(settings, lambda *change: told.append(change), unreadable.append)
    follower.start()
    try:
        assert follower.wait_caught_up(20)
        assert told == [(Target("partner", "acme"), paused)]
        assert len(unreadable) == 1
        control.write_control(settings, "partner", "acme", None)
        until(lambda: len(told) == 2)
        assert told[1] == (Target("partner", "acme"), None)
        assert follower.current == {} == control.read_controls(settings)
    finally:
        follower.stop()
