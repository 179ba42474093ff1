"""`ringback demo`: the two halves of its table are equal, and whatever happens to it, it leaves nothing behind."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from ruamel.yaml import YAML

from streams.demo.answers import answer
from streams.demo.interrupts import Interrupts
from streams.demo.stage import PortTaken, Stage
from streams.errors import RUNTIME
from tests.acceptance.demo_process import NOWHERE, Demo, running
from tests.support.topics import Sent, produce, values
from tests.support.waiting import eventually

INTERRUPTED = 130
#: As long as it takes for a redelivery to become due, and a start on a busy machine.
WITHIN = 200.0
NO_NETWORK = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"), NOWHERE)
QUICK = ("--seconds", "3", "--rate", "20")

#: Of a table's row or block: column, observed, expected.
NUMBERS = re.compile(r"(\d+)(=|≠)(\d+)")


def folder(path: Path, name: str) -> Path:
    (path / name).mkdir()
    return path / name


@pytest.mark.timeout(300)
def test_two_at_once_show_what_they_must_on_a_narrow_terminal_and_without_one(tmp_path: Path) -> None:
    """The one has neither a network nor a Java of the system, the other a terminal of 40 columns."""
    alone = {**NO_NETWORK, "PATH": "/nonexistent", "JAVA_HOME": ""}
    given = ("--seconds", "8", "--seed", "7")
    with (
        running(folder(tmp_path, "plain"), *given, **alone) as plain,
        running(folder(tmp_path, "narrow"), *given, columns=40) as narrow,
    ):
        assert plain.end(WITHIN) == 0, plain.text
        assert narrow.end(WITHIN) == 0, narrow.text
        for demo in (plain, narrow):
            assert "first delivered postback after" in demo.text
            found = NUMBERS.findall(demo.text)
            assert len(found) > 10
            assert [one for one in found if one[0] != one[2]] == []
            demo.assert_nothing_is_left()
        assert "\x1b" not in plain.text
        assert "EQUAL: 400 records" in plain.text
        assert re.search(r"^\d+ s: [\d,]+ records in, .* lag \d+\.\d s", plain.text, re.MULTILINE)
        assert "waiting for" in plain.text
        shown = narrow.text[narrow.text.index("observed=expected") :]
        assert max(map(len, shown.splitlines())) <= 40


def when_it_begins(demo: Demo) -> None:
    demo.wait_for("Ringback demo")


def when_the_storage_is_formatted(demo: Demo) -> None:
    demo.wait_for_file("ringback-demo-*/kafka/format.log")


def when_the_broker_starts(demo: Demo) -> None:
    demo.wait_for_file("ringback-demo-*/kafka/kafka.log")


def when_topics_are_made(demo: Demo) -> None:
    demo.wait_for_file("ringback-demo-*/config/*.yaml")


def when_postbacks_are_delivered(demo: Demo) -> None:
    demo.wait_for("first delivered postback")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("moment", "number"),
    [
        (when_it_begins, signal.SIGINT),
        (when_the_storage_is_formatted, signal.SIGTERM),
        (when_the_broker_starts, signal.SIGINT),
        (when_topics_are_made, signal.SIGHUP),
        (when_postbacks_are_delivered, signal.SIGINT),
    ],
)
def test_it_can_be_interrupted_at_any_moment(
    moment: Callable[[Demo], None], number: signal.Signals, tmp_path: Path
) -> None:
    with running(tmp_path, *QUICK) as demo:
        moment(demo)
        demo.signal_group(number)
        assert demo.end(40) == INTERRUPTED, demo.text
        demo.assert_nothing_is_left()
        assert "the demo was interrupted" in demo.text
        assert "Traceback" not in demo.text


@pytest.mark.timeout(180)
def test_who_cannot_wait_for_its_end_interrupts_again(tmp_path: Path) -> None:
    with running(tmp_path, *QUICK) as demo:
        when_postbacks_are_delivered(demo)
        # A worker that does not end.
        demo.process_of("streams.cli.main", "worker").suspend()
        demo.signal_group()
        demo.wait_for("stopping")
        demo.signal_group()
        assert demo.end(5) == INTERRUPTED, demo.text
        demo.assert_nothing_is_left()


@pytest.mark.timeout(180)
def test_an_interrupted_download_leaves_no_half_of_a_jar(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        repository = folder(tmp_path, "m2")
        with running(
            folder(tmp_path, "demo"), *QUICK, M2_REPO=str(repository), HTTPS_PROXY=proxy, https_proxy=proxy
        ) as demo:
            demo.wait_for("fetching Kafka")
            eventually(lambda: (repository / ".ringback-partial").exists() or list(repository.iterdir()))
            silent.accept()
            demo.signal_group()
            assert demo.end(20) == INTERRUPTED, demo.text
            demo.assert_nothing_is_left()
        assert [one.name for one in repository.rglob("*")] == [".ringback.lock"]


@pytest.mark.timeout(180)
def test_without_network_and_jars_the_remedy_is_said(tmp_path: Path) -> None:
    with running(folder(tmp_path, "demo"), *QUICK, M2_REPO=str(tmp_path / "m2"), **NO_NETWORK) as demo:
        assert demo.end(60) == RUNTIME, demo.text
        assert "could not be fetched" in demo.text
        assert "→ The first start needs Maven Central" in demo.text
        assert "Traceback" not in demo.text
        demo.assert_nothing_is_left()


@pytest.mark.timeout(180)
def test_a_process_that_ends_by_itself_ends_the_demo_with_the_end_of_its_log(tmp_path: Path) -> None:
    with running(tmp_path, *QUICK) as demo:
        demo.wait_for("the simulator begins")
        demo.process_of("streams.cli.main", "sender").kill()
        assert demo.end(40) == RUNTIME, demo.text
        assert "the sender has ended by itself (exit status 137)" in demo.text
        assert "probes: http" in demo.text
        assert "  → " in demo.text
        demo.assert_nothing_is_left()


def test_a_port_that_somebody_takes_in_between_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo begins anew then."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stage = Stage(Interrupts())
    try:
        stage.set_up()
        host, _, port = stage.settings.bootstrap_servers.partition(":")
        with socket.create_server((host, int(port))), pytest.raises(PortTaken, match=f"{port} is in use"):
            stage.start_broker()
    finally:
        stage.end()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(180)
def test_kill_9_leaves_no_process(tmp_path: Path) -> None:
    with running(tmp_path, *QUICK) as demo:
        demo.wait_for("the simulator begins")
        assert len(demo.processes()) == 1 + 2 * len(("broker", "worker", "sender", "partner"))
        demo.process.kill()
        eventually(lambda: demo.processes() == [], within=10)


@pytest.mark.timeout(300)
def test_a_job_that_nobody_had_to_decide_is_a_difference_and_status_1(tmp_path: Path) -> None:
    with running(tmp_path, *QUICK) as demo:
        demo.wait_for("first delivered postback")
        settings = YAML(typ="safe").load(demo.wait_for_file("ringback-demo-*/ringback.yaml"))
        bootstrap, topic = settings["bootstrap_servers"], f"{settings['topic_prefix']}delivery"
        job = json.loads(values(bootstrap, topic)[0])
        odd = json.dumps(job | {"job_id": "0" * 32})
        produce(bootstrap, topic, [Sent(odd.encode(), b"key", partition=0)])
        assert demo.end(WITHIN) == RUNTIME, demo.text
        assert f"{job['postback_id']} decided: expected" in demo.text
        assert f"not expected: {'0' * 32}" in demo.text
        assert "partner: of jobs that nobody had to decide: 1 request:" in demo.text
        assert re.search(r"\d≠\d", demo.text)
        assert re.search(r"DIFFERENT: 60 records, \d+ jobs; \d+ things are not what the rules give", demo.text)
        demo.assert_nothing_is_left()


def members(bootstrap: str, group: str) -> int:
    """How many are in a group."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    return len(admin.describe_consumer_groups([group], request_timeout=10)[group].result().members)


@pytest.mark.timeout(300)
def test_a_sender_that_stood_still_repeats_what_was_under_way_and_that_is_no_difference(tmp_path: Path) -> None:
    with running(tmp_path, "--seconds", "6", "--rate", "50") as demo:
        log = demo.wait_for_file("ringback-demo-*/logs/received.txt")
        settings = YAML(typ="safe").load(demo.wait_for_file("ringback-demo-*/ringback.yaml"))
        bootstrap, group = settings["bootstrap_servers"], settings["sender_group"]
        sender = demo.process_of("streams.cli.main", "sender")

        def slow_one_under_way() -> bool:
            lines = [line.split("\t") for line in log.read_text().splitlines()]
            return any(answer(job, 1, target).delay > 0.5 for job, target in lines[-1:])

        eventually(slow_one_under_way, within=60, every=0.005)
        sender.suspend()
        assert members(bootstrap, group) == 1
        # Longer than the session of a member of its group.
        eventually(lambda: members(bootstrap, group) == 0, within=60, every=0.25, what="the group misses it")
        sender.resume()
        assert demo.end(WITHIN) == 0, demo.text
        assert re.search(r"\d requests? (was|were) repeated, with the same id", demo.text), demo.text
        assert "EQUAL: 300 records" in demo.text
        demo.assert_nothing_is_left()


@pytest.mark.timeout(300)
def test_what_is_kept_can_be_looked_at_with_the_commands_that_it_prints(tmp_path: Path) -> None:
    # So few records that seldom one of their jobs waits for a redelivery.
    with running(tmp_path, "--seconds", "1", "--rate", "10", "--keep") as demo:
        demo.wait_for("sleep 1; tail", within=WITHIN)
        # A paragraph is one line, for the screen to break.
        assert re.search(r"^To look around, .* what the partner received\.$", demo.text, re.MULTILINE)
        commands = "\n".join(line for line in demo.text.partition("paste this")[2].splitlines() if line[:2] == "  ")
        told = subprocess.run(
            ["sh", "-e", "-c", commands], cwd="/", capture_output=True, text=True, timeout=60, check=False
        )
        assert told.returncode == 0, told.stderr
        assert "nothing to change" in told.stdout
        assert "click_id=by-hand" in told.stdout
        demo.process.send_signal(signal.SIGTERM)
        assert demo.end(40) == 0, demo.text
        demo.assert_nothing_is_left()
        assert shlex.quote(str(demo.temporary)) in demo.text
