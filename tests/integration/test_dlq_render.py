"""`ringback dlq replay --render`: dead jobs go out by the template of today, on the real broker."""

from __future__ import annotations

import re
import time

import msgspec
import pytest

from schemas.config import Configuration, Endpoint, Source
from schemas.job import Job
from streams.delivery import receipts
from streams.replay import run
from streams.replay.run import Setup
from tests.support.commands import Run, ringback
from tests.support.sending import Bench
from tests.support.topics import Sent, create_topics, produce, read_topic
from tests.unit.replay.recorded import POSTBACKS, configuration, recorded

__all__ = ["ringback"]

PARTITIONS = 4
#: Of those that are dead: what was one device's, what was a user's, one that is paused by now, and one that is gone.
DEAD = ("install", "new", "payment", "again")


@pytest.fixture
def bench(settings: object) -> Bench:
    made = Bench(settings)  # type: ignore[arg-type]
    made.create()
    return made


def today(bench: Bench) -> Configuration:
    """The configuration as it was, with other URLs, without the postback `again`, and with `payment` paused."""
    prefix = bench.settings.topic_prefix
    sources = tuple(Source(topic=f"{prefix}in.{record}", record=record) for record in ("event", "install"))  # type: ignore[arg-type]
    changed = [
        msgspec.structs.replace(
            one,
            endpoint=Endpoint(url=f"https://acme.example/v2/{one.id}?user={{user_id}}&click={{click_id}}"),
            status="paused" if one.id == "payment" else "active",
            retry_attempts=7,
        )
        for one in POSTBACKS
        if one.id != "again"
    ]
    return msgspec.structs.replace(configuration(*changed, sources=sources), generation=2)


def written(bench: Bench) -> list[tuple[int, Job]]:
    found = read_topic(bench.settings.bootstrap_servers, bench.topics.delivery)
    return [(one.partition, msgspec.json.decode(one.value or b"", type=Job)) for one in found]


def values(job: Job) -> tuple[str, str]:
    """The click and user that a URL of either template names."""
    url = "".join(part for part in job.request.url if isinstance(part, str))
    click, user = re.search(r"[?&]c(?:lick)?=([^&]*)", url), re.search(r"[?&]u(?:ser)?=([^&]*)", url)
    assert click is not None
    assert user is not None
    return click[1], user[1]


def test_dead_jobs_get_the_request_of_today_and_those_without_a_history_are_refused(
    bench: Bench, ringback: Run
) -> None:
    records = recorded(7, partitions=PARTITIONS)
    live = today(bench)
    outputs = run.replay(Setup(configuration(), PARTITIONS, now=int(time.time() * 1000)), records)
    decided = [msgspec.json.decode(value, type=Job) for _, output in outputs for value in run.jobs(output)]
    dead = [job for job in decided if job.postback_id in DEAD]
    lost = msgspec.structs.replace(next(job for job in dead if job.postback_id == "new"), job_id="lost")
    bench.configure(live)
    bootstrap = bench.settings.bootstrap_servers
    for source in live.sources:
        create_topics(bootstrap, {source.topic: PARTITIONS})
        some = [one for raws in records.values() for one in raws if one.source.record == source.record]
        produce(bootstrap, source.topic, [Sent(one.value, one.key, one.partition, one.appended) for one in some])
    letters = [
        receipts.dead_letter("attempts_used_up", "d", ("t", 0, 0), 1, None, msgspec.json.encode(job), job, 500)
        for job in (*dead, lost)
    ]
    bench.write(bench.topics.dead_letters, [Sent(value, None, n % PARTITIONS) for n, value in enumerate(letters)])

    wanted = {job.job_id: job for job in dead if job.postback_id != "again"}
    gone = len(dead) - len(wanted)
    assert {job.postback_id for job in wanted.values()} == {"install", "new", "payment"}
    assert gone
    status, out, err = ringback("dlq", "replay", "--all", "--render", "--yes")
    assert (status, out) == (1, f"replayed {len(wanted)}\n"), err
    assert f"to be replayed: {len(wanted)} jobs to acme" in err
    assert f"{gone} not replayed" in err
    assert "its postback is not in the configuration any more" in err
    assert "1 not replayed" in err
    assert "the input topics as they are now give no such job" in err
    sent = {job.job_id: job for _, job in written(bench)}
    assert len(written(bench)) == len(sent) == len(wanted)
    for job_id, job in sent.items():
        before = wanted[job_id]
        assert "".join(map(str, job.request.url)).startswith(f"https://acme.example/v2/{job.postback_id}?user=")
        assert values(job) == values(before)
        same = ("postback_id", "event", "record_id", "device_key", "decided_at", "day", "campaign_id")
        assert all(getattr(job, name) == getattr(before, name) for name in same)
        assert (job.replay, job.attempts, job.retry_attempts, job.generation) == (True, 0, 7, 2)
    # Those that were refused are still there, and go out as they were decided.
    status, out, err = ringback("dlq", "replay", "lost", "--yes")
    assert (status, out) == (0, "replayed 1\n"), err
    assert next(job for _, job in written(bench) if job.job_id == "lost").request == lost.request
