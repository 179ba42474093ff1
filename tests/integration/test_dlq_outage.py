"""A broker that restarts while dead letters are replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.local.broker import EmbeddedBroker
from streams.settings import Settings
from tests.support.letters import process, replayed, write_letters
from tests.support.sending import Bench, configuration, job_for, partner_named, postback_named
from tests.support.waiting import eventually


@pytest.mark.timeout(240)
def test_a_replay_goes_on_when_the_broker_restarts_or_is_run_again(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "kafka") as broker:
        settings = Settings(bootstrap_servers=broker.bootstrap, topic_prefix="outage.", partitions=4)
        bench = Bench(settings)
        bench.create()
        bench.configure(configuration([partner_named()], [postback_named()]))
        write_letters(bench, (job_for("http://x.example/", n) for n in range(160)))
        with process(bench, "replay", "--all", "--yes", "--rate", "40/s") as first:
            eventually(lambda: len(replayed(bench)) >= 40, within=60)
            broker.shut_down()
            broker.start()
            _, err = first.communicate(timeout=90)
        if first.returncode:
            assert "run the same command again" in err
        with process(bench, "replay", "--all", "--yes") as second:
            _, err = second.communicate(timeout=90)
            assert second.returncode == 0, err
        assert sorted(replayed(bench)) == sorted((f"job-{n}", n % 4) for n in range(160))
