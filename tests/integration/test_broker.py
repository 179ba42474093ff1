"""The embedded broker: starts within seconds, keeps its data, and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from streams.local import jars, java, server
from streams.local.broker import EmbeddedBroker
from streams.local.errors import JavaMissing, ResolutionFailed, StartFailed
from tests.support.processes import ROOT
from tests.support.topics import Sent, create_topics, produce, values
from tests.support.waiting import eventually


def processes_in(folder: Path) -> list[psutil.Process]:
    """The processes of a broker whose files lie in `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(folder) in part for part in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """A broker that these tests may stop and kill; it runs when a test begins."""
    with EmbeddedBroker(tmp_path_factory.mktemp("own")) as running:
        yield running


def test_keeps_its_address_and_its_records_over_a_restart(own: EmbeddedBroker) -> None:
    own.start()
    create_topics(own.bootstrap, {"restarted": 2})
    produce(own.bootstrap, "restarted", [Sent(b"1", b"a"), Sent(b"2", b"b")])
    address = own.bootstrap
    own.restart()
    assert own.bootstrap == address
    assert sorted(values(own.bootstrap, "restarted")) == [b"1", b"2"]


def test_comes_back_with_its_records_after_a_kill(own: EmbeddedBroker) -> None:
    own.start()
    create_topics(own.bootstrap, {"killed": 1})
    produce(own.bootstrap, "killed", [Sent(b"1")])
    own.kill()
    assert not own.running
    assert processes_in(own.folder) == []
    own.start()
    assert values(own.bootstrap, "killed") == [b"1"]


def test_keeps_records_with_old_times(own: EmbeddedBroker) -> None:
    own.start()
    create_topics(own.bootstrap, {"old": 1})
    produce(own.bootstrap, "old", [Sent(b"1997", timestamp=852_076_800_000)])
    assert values(own.bootstrap, "old") == [b"1997"]


def test_a_topic_is_made_on_purpose_only(own: EmbeddedBroker) -> None:
    own.start()
    with pytest.raises(KeyError):
        values(own.bootstrap, "never-made")


def test_two_at_once_do_not_disturb_each_other(own: EmbeddedBroker, tmp_path: Path) -> None:
    own.start()
    with EmbeddedBroker(tmp_path / "other") as other:
        assert other.bootstrap != own.bootstrap
        create_topics(other.bootstrap, {"here": 1})
        with pytest.raises(KeyError):
            values(own.bootstrap, "here")
    assert processes_in(tmp_path) == []
    assert own.running


def test_a_port_in_use_is_said(own: EmbeddedBroker, tmp_path: Path) -> None:
    own.start()
    with pytest.raises(StartFailed, match=f"Port {own.port} is in use"):
        EmbeddedBroker(tmp_path, port=own.port).start()


def test_the_end_of_the_log_is_shown_when_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"log\.retention"):
        EmbeddedBroker(tmp_path, extra={"log.retention.check.interval.ms": "never"}).start()
    assert processes_in(tmp_path) == []


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_ends_with_the_process_that_started_it(tmp_path: Path, by: signal.Signals) -> None:
    command = [sys.executable, "-m", "streams.local.broker", "--folder", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        address = parent.stdout.readline().strip()
        assert server.listening(int(address.split(":")[1]))
        # The parent, the guard and the broker itself.
        assert len(processes_in(tmp_path)) == 3
        os.kill(parent.pid, by)
    eventually(lambda: processes_in(tmp_path) == [], within=20)


def test_ends_when_its_guard_is_killed(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as running:
        guard = next(
            process for process in processes_in(tmp_path) if any("guard.py" in part for part in process.cmdline())
        )
        guard.kill()
        eventually(lambda: processes_in(tmp_path) == [])
        assert not running.running


def test_starts_within_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    with EmbeddedBroker(tmp_path):
        assert time.monotonic() - started < 30


def test_without_java_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(java, "candidates", lambda: iter([("JAVA_HOME", tmp_path / "bin" / "java")]))
    with pytest.raises(JavaMissing, match=r"Java 17 or newer.*does not run\)\.\nInstall one"):
        java.find_java()


def test_without_network_and_cache_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ResolutionFailed, match="could not be fetched"):
        jars.jars()


def test_a_jar_that_is_not_the_locked_one_is_fetched_again_or_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    locked = jars.locked_dependencies()[0]
    good = jars.place(jars.maven_context(), locked)
    cache = jars.maven_context(tmp_path / "cache")
    half = jars.place(cache, locked)
    half.parent.mkdir(parents=True)
    half.write_bytes(good.read_bytes()[:100])
    monkeypatch.setattr(jars, "fetched", lambda artifact: tampered(tmp_path))
    with jars.arriving(cache) as arrivals, pytest.raises(ResolutionFailed, match="the lock says"):
        jars.checked_jar(cache, arrivals, locked)
    monkeypatch.setattr(jars, "fetched", lambda artifact: shutil.copy(good, tmp_path / "arrived.jar"))
    with jars.arriving(cache) as arrivals:
        assert jars.checked_jar(cache, arrivals, locked) == half
    assert half.read_bytes() == good.read_bytes()


def test_what_a_killed_download_has_left_is_removed(tmp_path: Path) -> None:
    cache = jars.maven_context(tmp_path)
    with jars.arriving(cache) as arrivals:
        left = Path(arrivals.repo_cache) / "half.jar"
        left.parent.mkdir()
        left.write_bytes(b"half")
        with jars.arriving(cache):
            assert not left.exists()


def tampered(folder: Path) -> Path:
    path = folder / "tampered.jar"
    path.write_bytes(b"not what was locked")
    return path
