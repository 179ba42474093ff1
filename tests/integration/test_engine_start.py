"""The worker with its real pipeline, started as users start it: both commands are the same."""

from __future__ import annotations

import pytest

from schemas.config import Source
from streams.local.guarded import GuardedProcess
from streams.settings import Settings
from tests.support.engine_bench import probe, wait_ready
from tests.support.processes import Start
from tests.support.sending import Bench, configuration, partner_named, postback_named
from tests.support.topics import Sent, create_topics, read_topic
from tests.support.waiting import eventually

COMMANDS = {"faust": ("-A", "streams.app", "worker"), "streams.cli.main": ("worker",)}


@pytest.mark.parametrize("module", COMMANDS)
def test_it_waits_for_a_configuration_then_decides(settings: Settings, start: Start, module: str):
    bench = Bench(settings)
    bench.create()
    events, installs = f"{settings.topic_prefix}events", f"{settings.topic_prefix}installs"
    create_topics(settings.bootstrap_servers, {events: 4, installs: 4})
    bench.write(installs, [Sent(b'{"app_id": "game", "google_aid": "a", "id": "1"}', b"game|a")])
    worker: GuardedProcess = start(*COMMANDS[module], module=module)
    eventually(lambda: "probes: http" in worker.output(), within=30)
    status, body = probe(worker, "/readyz")
    assert status == 503
    assert "configuration" in body
    base = configuration([partner_named()], [postback_named(delivery_method="all")])
    sources = (Source(topic=installs, record="install"), Source(topic=events, record="event"))
    bench.configure(_with(base, sources))
    wait_ready(worker)
    jobs = eventually(lambda: read_topic(settings.bootstrap_servers, bench.topics.delivery), within=30)
    assert len(jobs) == 1
    assert worker.end(20) == 0, worker.output()
    assert "Traceback" not in worker.output()


def _with(base, sources):  # type: ignore[no-untyped-def]
    return type(base)(
        generation=base.generation, sources=sources, apps=base.apps, partners=base.partners, postbacks=base.postbacks
    )
