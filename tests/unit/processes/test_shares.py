"""The settings of each of several processes (`streams.processes.shares`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import USAGE, Stop
from streams.processes import shares
from streams.settings import Settings, environment

counts = st.integers(2, 64)
kinds = st.sampled_from(sorted(shares.KINDS))


@given(counts, kinds)
def test_no_two_processes_share_a_port_a_directory_or_a_name(count, kind):
    settings = Settings(instance_id="here")
    own = [shares.share(settings, kind, number) for number in range(1, count + 1)]
    ports = [getattr(one, shares.KINDS[kind].port) for one in own]
    assert len({*ports, settings.metrics_port, settings.sender_metrics_port}) == count + 2
    assert len({one.instance_id for one in own} | {settings.instance_id}) == count + 1
    if kind == "worker":
        assert len({one.state_dir for one in own}) == count


@given(st.integers(2, 64))
def test_workers_and_senders_with_the_default_ports_are_neighbours_in_peace(count):
    settings, numbers = Settings(), range(1, count + 1)
    workers = {shares.share(settings, "worker", number).metrics_port for number in numbers}
    senders = {shares.share(settings, "sender", number).sender_metrics_port for number in numbers}
    assert workers.isdisjoint(senders)


def test_a_child_finds_its_state_again_and_has_no_children():
    settings = Settings(state_dir=Path("/state"), worker_processes=4, metrics_port=0, instance_id="pod-7")
    child = shares.share(settings, "worker", 3)
    assert child.state_dir == Path("/state/process-3")
    assert (child.worker_processes, child.metrics_port, child.instance_id) == (1, 0, "pod-7-3")


def test_without_an_instance_id_there_is_none():
    assert shares.share(Settings(), "worker", 1).instance_id == ""


def test_the_environment_tells_a_child_what_is_its_own(monkeypatch):
    for name, value in environment(shares.share(Settings(), "worker", 2)).items():
        monkeypatch.setitem(os.environ, name, value)
    told = Settings()
    assert (told.metrics_port, told.state_dir, told.worker_processes) == (9484, Path("ringback-state/process-2"), 1)


def test_ports_that_do_not_exist_are_refused():
    shares.check(Settings(metrics_port=65_515), "worker", 2)
    with pytest.raises(Stop) as refused:
        shares.check(Settings(metrics_port=65_516), "worker", 2)
    assert refused.value.exit_code == USAGE
    assert "RINGBACK_METRICS_PORT" in refused.value.remedy


def test_each_worker_has_a_port_for_look_ups_of_its_own():
    assert shares.share(Settings(lookup_port=7_000), "worker", 2).lookup_port == 7_010
    assert shares.share(Settings(lookup_port=0), "worker", 2).lookup_port == 0
    assert shares.share(Settings(), "worker", 2).lookup_port is None


def test_a_command_that_asks_by_the_settings_finds_the_first_worker():
    settings = Settings(lookup_port=7_000)
    assert shares.share(settings, "worker", 1).lookup_port == settings.lookup_port


def test_ports_for_look_ups_that_do_not_exist_are_refused():
    shares.check(Settings(lookup_port=65_525), "worker", 2)
    shares.check(Settings(lookup_port=65_535), "sender", 2)
    with pytest.raises(Stop) as refused:
        shares.check(Settings(lookup_port=65_526), "worker", 2)
    assert refused.value.exit_code == USAGE
    assert "RINGBACK_LOOKUP_PORT" in refused.value.remedy


def test_one_address_for_the_look_ups_of_several_is_refused():
    shares.check(Settings(lookup_url="http://10.0.0.7:{port}"), "worker", 2)
    shares.check(Settings(lookup_url="http://10.0.0.7:7000"), "worker", 1)
    with pytest.raises(Stop) as refused:
        shares.check(Settings(lookup_url="http://10.0.0.7:7000"), "worker", 2)
    assert "{port}" in refused.value.remedy
