"""`ringback dlq` on the real broker, with the real sender."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from schemas.config import Configuration, Source
from schemas.control import Control
from schemas.dead_letter import DeadLetter
from schemas.job import Deferred, Request
from streams.config import control
from streams.delivery import receipts
from streams.local.exchange import Answer
from streams.local.partner import Partner
from streams.reports import reading
from streams.reports.totals import totals
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.letters import now, process, replayed, write_letters
from tests.support.sending import Bench, configuration, job_for, partner_named, postback_named, sending
from tests.support.topics import Sent, create_topics, produce, read_topic
from tests.support.waiting import eventually, eventually_async

__all__ = ["ringback"]

#: Runs a command beside the sender.
Command = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def bench(settings: Settings) -> Bench:
    made = Bench(settings)
    made.create()
    made.configure(configuration([partner_named()], [postback_named()]))
    return made


@pytest.fixture
def dlq(ringback: Run, capsys: pytest.CaptureFixture[str]) -> Command:
    async def command(*arguments: str) -> tuple[int, str, str]:
        # What the sender beside it has said so far.
        capsys.readouterr()
        return await asyncio.to_thread(ringback, "dlq", *arguments)

    return command


def with_source(wanted: Configuration) -> Configuration:
    """The configuration with a source of events."""
    return msgspec.structs.replace(wanted, sources=(Source(topic="in.events", record="event"),))


async def ended(bench: Bench, count: int) -> None:
    """Wait for so many terminal receipts, replays and all."""

    def there() -> bool:
        return sum(map(len, bench.terminal().values())) >= count

    await eventually_async(lambda: asyncio.to_thread(there), within=30, every=0.2, what=f"{count} ends")


async def test_what_failed_is_listed_shown_and_delivered_once_when_the_partner_is_well(
    bench: Bench, settings: Settings, dlq: Command
) -> None:
    async with Partner() as partner, sending(settings) as running:
        partner.rule("/i", lambda _: Answer(status=422, body=b"closed for lunch\x1b[2J"))
        request = Request("GET", (partner.url("/i?a="), Deferred("macro", "attempt", (), "query")))
        jobs = [job_for("", n, retry_attempts=0, request=request) for n in range(40)]
        jobs.append(job_for(partner.url("/i"), 40, retry_attempts=0, postback_id="other"))
        bench.decide(jobs)
        await ended(bench, 41)
        status, out, err = await dlq("ls", "--postback", "acme-install")
        assert status == 0, err
        assert out.splitlines()[0].split() == ["REASON", "FROM", "COUNT", "OLDEST", "NEWEST", "EXAMPLE"]
        assert out.splitlines()[1].split()[:3] == ["attempts_used_up", "acme", "40"]
        _, out, _ = await dlq("ls", "--each", "--format", "json", "--status", "4xx", "--since", "1h")
        each = [json.loads(line) for line in out.splitlines()]
        assert len(each) == 41
        mine = next(one for one in each if one["job_id"] == "job-7")
        status, out, err = await dlq("show", "job-7")
        assert status == 0, err
        assert f"dead letter {mine['address']}: attempts_used_up, the partner refused" in out
        assert f"GET {partner.url('/i?a=')}{{attempt}}" in out
        assert "1 at " in out
        assert "closed for lunch" in out
        assert "\x1b" not in out
        assert f"ringback dlq replay {mine['address']}" in out

        partner.rule("/i", lambda _: Answer(status=200))
        before = partner.count
        status, out, err = await dlq("replay", "--partner", "acme", "--postback", "acme-install", "--yes")
        assert (status, out) == (0, "replayed 40\n"), err
        await ended(bench, 81)
        status, out, err = await dlq("replay", "--partner", "acme", "--postback", "acme-install", "--yes")
        assert (status, out) == (0, ""), err
        assert "nothing to be replayed" in err
        sent = partner.requests[before:]
        assert sorted(one.job_id or "" for one in sent) == sorted(f"job-{n}" for n in range(40))
        assert {one.query for one in sent} == {"a=1"}
        assert (
            running.counted("replays_finished_total", partner="acme", postback="acme-install", outcome="delivered")
            == 40
        )
        finished = {"app": "game", "partner": "acme", "postback": "acme-install", "event": "install"}
        assert running.counted("postbacks_finished_total", **finished, outcome="delivered") == 0
    replays = [one for one in bench.receipts() if one.replay]
    assert {(one.kind, one.outcome) for one in replays} == {("attempt", "delivered"), ("terminal", "delivered")}
    assert len(replays) == 80
    _, out, err = await dlq("ls")
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [["attempts_used_up", "acme", "1"]]
    assert "left out: 40 replayed" in err


def test_a_replay_that_is_killed_broken_off_or_overtaken_sends_each_letter_once(bench: Bench, ringback: Run) -> None:
    write_letters(bench, (job_for("http://x.example/", n) for n in range(300)))
    slowly = ("replay", "--reason", "attempts_used_up", "--yes", "--rate")
    with process(bench, *slowly, "20/s") as first:
        eventually(lambda: len(replayed(bench)) >= 20, within=30)
        first.kill()
    with process(bench, *slowly, "20/s") as second:
        before = len(replayed(bench))
        eventually(lambda: len(replayed(bench)) >= before + 20, within=30)
        second.send_signal(signal.SIGINT)
        _, err = second.communicate(timeout=20)
        assert second.returncode == 130
        assert "the same command does the rest" in err
    with process(bench, *slowly, "20/s") as third:
        before = len(replayed(bench))
        assert before < 250
        eventually(lambda: len(replayed(bench)) >= before + 20, within=30)
        status, out, err = ringback("dlq", "replay", "--all", "--yes")
        assert status == 0, err
        assert out.startswith("replayed ")
        assert int(out.split()[1]) > 0
        _, err = third.communicate(timeout=20)
        assert third.returncode == 1
        assert "another `ringback dlq replay` or `purge` has begun" in err
    assert sorted(replayed(bench)) == sorted((f"job-{n}", n % 4) for n in range(300))
    status, out, err = ringback("dlq", "replay", "--all", "--yes")
    assert (status, out) == (0, "")
    assert "left out" in ringback("dlq", "ls")[2]


def test_a_note_behind_a_transaction_that_is_still_open_is_heard_of(bench: Bench, ringback: Run) -> None:
    write_letters(bench, (job_for("http://x.example/", n) for n in range(80)))
    options = {
        "bootstrap.servers": bench.settings.bootstrap_servers,
        "transactional.id": f"{bench.topics.prefix}sender",
    }
    sender = Producer(options)
    sender.init_transactions()
    with process(bench, "replay", "--all", "--rate", "25/s") as first:
        eventually(lambda: replayed(bench), within=30)
        sender.begin_transaction()
        for partition in range(4):
            sender.produce(bench.topics.dead_letters, b"a letter", None, partition)
        sender.flush(10)
        assert first.wait(30) == 0
    with process(bench, "replay", "--all") as second:
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(4)
        sender.commit_transaction()
        out, err = second.communicate(timeout=30)
        assert (second.returncode, out) == (0, "replayed 0\n"), err
    assert len(replayed(bench)) == 80


def test_purged_letters_are_gone_and_poison_and_strangers_records_are_shown_safely(bench: Bench, ringback: Run) -> None:
    evil = job_for("http://x.example/\x1b[2J", 1, partner="\x1b[31m\u202eacme", job_id="job-e")
    write_letters(bench, [evil], "poison")
    letters = [
        receipts.dead_letter("poison", "no job\x1b]0;x", (bench.topics.delivery, 0, 9), now(), None, b"\xff{"),
        b"not ours",
        b'{"kind":"note","done":"replayed","offsets":[[0,100000000000]],"at":"x"}',
    ]
    bench.write(bench.topics.dead_letters, [Sent(value, None, 1) for value in letters])
    status, out, err = ringback("dlq", "ls")
    assert status == 0, err
    assert [line.split()[0] for line in out.splitlines()] == ["REASON", "poison", "poison"]
    assert "2 records of" in err
    status, shown, _ = ringback("dlq", "show", "1:0")
    assert status == 0
    assert "no sender can work on it" in shown
    status, more, _ = ringback("dlq", "show", "job-e")
    assert status == 0
    _, each, _ = ringback("dlq", "ls", "--each")
    for text in (out, shown, more, each):
        assert not {"\x1b", "\u202e", "\x07"} & set(text)
    status, out, err = ringback("dlq", "purge", "--kind", "job")
    assert status == 2
    assert "say --yes" in err
    status, out, err = ringback("dlq", "purge", "1:0", "1:77", "--yes")
    assert (status, out) == (1, "purged 1\n")
    assert "1 not purged (1:77): no dead letter lies there" in err
    status, out, err = ringback("dlq", "purge", "--all", "--yes")
    assert (status, out) == (0, "purged 1\n")
    status, out, err = ringback("dlq", "ls")
    assert (status, out) == (0, "")
    assert "no dead letters; they are kept for 30d" in err
    assert "left out: 2 purged" in err
    _, shown, _ = ringback("dlq", "show", "1:0")
    assert "purged      at " in shown


def test_what_cannot_be_done_is_said(bench: Bench, ringback: Run, settings: Settings) -> None:
    bench.configure(configuration([partner_named(aliases=("ac",))], [postback_named()], generation=2))
    for arguments, status, words in (
        (("replay",), 2, "which dead letters?"),
        (("purge",), 2, "which dead letters?"),
        (("replay", "--again", "--all"), 2, "--again is for jobs"),
        (("show", "nobody"), 1, "job nobody has no dead letter; they are kept for 30d"),
        (("show", "99:1"), 1, "has the partitions 0 to 3"),
        (("show", "0:1"), 1, "there is no dead letter 0:1"),
        (("ls", "--partner", "acmee"), 0, "did you mean acme?"),
        (("replay", "--partner", "acmee"), 0, "there is no partner acmee in the configuration; did you mean acme?"),
        (("purge", "--postback", "other"), 0, "there is no postback other in the configuration"),
        (("replay", "--partner", "ac"), 0, "ac is an alias: letters have the partner's id, acme"),
        (("ls", "--partner", "ac"), 0, "ac is an alias: letters have the partner's id, acme"),
        (("ls", "--status", "9xy"), 2, "write 404, 5xx or 500-599"),
        (("ls", "--since", "soon"), 2, "expected a time"),
        (("ls", "--reason", "bad"), 2, "expected one of undecodable"),
        (("ls", "--from", "2026-01-02", "--to", "2026-01-01"), 2, "nothing lies between"),
        (("replay", "--all", "--rate", "fast"), 2, "write 50/s"),
        (("replay", "job-9"), 1, "1 not replayed (job-9): no topic holds it"),
        (("replay", "0:9"), 1, "1 not replayed (0:9): no dead letter lies there"),
        (("purge", "job-9"), 1, "1 not purged (job-9): it has no dead letter"),
    ):
        found, out, err = ringback("dlq", *arguments)
        assert (found, out) == (status, ""), (arguments, err)
        assert words in err, arguments


async def test_a_letter_that_is_named_and_not_meant_by_the_other_options_is_left_alone(
    bench: Bench, settings: Settings, dlq: Command
) -> None:
    async with Partner() as partner, sending(settings):
        partner.answer("/i", Answer(status=500))
        bench.decide([job_for(partner.url("/i"), 1, retry_attempts=0), job_for(partner.url("/well"), 2)])
        await ended(bench, 2)
        _, out, _ = await dlq("ls", "--each", "--format", "json")
        address = json.loads(out)["address"]
        for again in ((), ("--again", "--yes")):
            for options in (("--partner", "other"), ("--status", "404"), ("--to", "2026-01-01"), ("--kind", "input")):
                status, out, err = await dlq("replay", "job-1", address, *options, *again)
                assert (status, out) == (1, ""), err
                assert f"2 not replayed ({address}, job-1): its dead letter is not one of those that" in err, err
        status, out, err = await dlq("purge", address, "--kind", "input")
        assert (status, out) == (1, ""), err
        assert f"1 not purged ({address}): its dead letter is not one of those that the options mean" in err
        status, out, err = await dlq("replay", "job-2", "--again", "--yes", "--partner", "other")
        assert (status, out) == (1, ""), err
        assert "1 not replayed (job-2): it is not one of those that the options mean" in err
        status, out, err = await dlq("replay", "job-1", "--again", "--yes", "--partner", "acme", "--since", "1h")
        assert (status, out) == (0, "replayed 1\n"), err
        await ended(bench, 3)
        assert sorted(map(str, partner.job_ids())) == ["job-1", "job-1", "job-2"], "of two partitions"


def write_inputs(bench: Bench, *letters: dict[str, Any]) -> None:
    own = {"kind": "input", "reason": "invalid", "detail": "app_id: is required", "topic": "in.events", "partition": 1}
    found = [DeadLetter(**(own | {"offset": n, "at": now()} | one)) for n, one in enumerate(letters)]  # type: ignore[arg-type]
    records = [Sent(msgspec.json.encode(one), one.key, 1) for one in found]
    produce(bench.settings.bootstrap_servers, bench.topics.dead_letters, records, message_max_bytes=2 << 20)


def test_input_goes_back_into_its_topic_once_and_what_is_not_whole_does_not(bench: Bench, ringback: Run) -> None:
    bench.configure(with_source(configuration([partner_named()], generation=2)))
    create_topics(bench.settings.bootstrap_servers, {"in.events": 4})
    raw = b"\xff{not json"
    write_inputs(
        bench,
        {"key": b"game|d", "value": raw, "partition": 3},
        {"key": None, "value": b"{}"},
        {"reason": "null"},
        {"value": b"x", "topic": "elsewhere"},
        {"value": b"x" * 1_400_000, "reason": "too_large"},
        {"value": b"x", "reason": "too_large", "offset": -1, "topic": ""},
    )
    status, out, err = ringback("dlq", "replay", "--kind", "input", "--dry-run")
    assert (status, out) == (1, ""), err
    assert "would be replayed: 2 records of in.events (invalid)" in err
    status, out, err = ringback("dlq", "replay", "--kind", "input")
    assert (status, out) == (1, "replayed 2\n"), err
    for said in ("its value is null", "no source in the configuration", "too large to be kept whole", "not at hand as"):
        assert said in err
    assert "2 records of in.events" in err
    status, out, err = ringback("dlq", "replay", "--kind", "input")
    assert (status, out) == (1, ""), err
    found = read_topic(bench.settings.bootstrap_servers, "in.events")
    assert [(one.partition, one.key, one.value) for one in found] == [(1, None, b"{}"), (3, b"game|d", raw)]
    _, out, _ = ringback("dlq", "ls", "--format", "json")
    assert sum(one["count"] for one in json.loads(out)) == 4


async def test_a_job_that_ended_otherwise_is_sent_again_when_that_is_said(
    bench: Bench, settings: Settings, dlq: Command
) -> None:
    shadow = postback_named("dark", status="shadow")
    bench.configure(configuration([partner_named()], [postback_named(), shadow], generation=2))
    async with Partner() as partner, sending(settings):
        url = partner.url("/i")
        old = now() - 7_200_000
        bench.decide(
            [
                job_for(url, 1),
                job_for(url, 2, decided_at=old, due_at=old, max_age=3_600_000),
                job_for(url, 3, shadow=True),
                job_for(url, 4, postback_id="dark"),
                job_for(url, 5, due_at=now() + 3_600_000),
            ]
        )
        await ended(bench, 4)
        assert partner.job_ids() == ["job-1"]
        names = [f"job-{n}" for n in range(1, 7)]
        status, out, err = await dlq("replay", *names, "--yes")
        assert (status, out) == (1, ""), err
        for name, end in (
            ("job-1", "delivered"),
            ("job-2", "expired (max_age)"),
            ("job-3, job-4", "suppressed (shadow)"),
        ):
            assert f"({name}): it has no open dead letter: {end}; `--again` sends it once more" in err
        assert "(job-5): it has not ended" in err
        assert "(job-6): no topic holds it" in err
        status, out, err = await dlq("replay", "--again", *names)
        assert (status, out) == (2, ""), err
        status, out, err = await dlq("replay", "--again", *names, "--yes")
        assert (status, out) == (1, "replayed 3\n"), err
        assert "(job-4): its postback is in `shadow`" in err
        await ended(bench, 7)
        assert sorted(map(str, partner.job_ids())) == ["job-1", "job-1", "job-2", "job-3"]
        await asyncio.to_thread(control.write_control, settings, "partner", "acme", Control(paused=True))
        status, out, err = await dlq("replay", "--again", "job-1", "--yes")
        assert (status, out) == (0, "replayed 1\n"), err
        status, out, err = await dlq("replay", "--again", "job-1", "--yes")
        assert (status, out) == (1, ""), err
        assert "a replay of it is under way" in err
    ends = Counter((one.replay, one.outcome) for one in bench.receipts() if one.kind == "terminal")
    assert ends == {(False, "delivered"): 1, (False, "expired"): 1, (False, "suppressed"): 2, (True, "delivered"): 3}
    assert counted(bench) == {"delivered": 1, "expired": 1, "suppressed": 2}


def counted(bench: Bench) -> Counter[str]:
    """What the report says of how jobs ended."""
    return sum(totals(reading.counted(bench.settings).rows).jobs.values(), Counter())


def test_without_the_topic_or_kafka_the_commands_end_with_what_to_do(settings: Settings, ringback: Run) -> None:
    status, out, err = ringback("dlq", "ls")
    assert (status, out) == (1, "")
    assert f"there is no topic {settings.topic_prefix}dead-letters" in err
    assert "`ringback topics create` makes it" in err
    for arguments in (("ls",), ("replay", "--all"), ("purge", "--all"), ("show", "0:1")):
        status, out, err = ringback("-b", "127.0.0.1:1", "dlq", *arguments, "--timeout", "0.5")
        assert (status, out) == (1, ""), arguments
        assert "Kafka at 127.0.0.1:1 cannot be reached" in err


async def test_what_waits_for_a_partner_is_purged_and_what_comes_later_is_not(
    bench: Bench, settings: Settings, ringback: Run
) -> None:
    bench.configure(configuration([partner_named(), partner_named("other")], [postback_named()], generation=2))
    await asyncio.to_thread(control.write_control, settings, "partner", "acme", Control(paused=True))
    await asyncio.to_thread(control.write_control, settings, "partner", "other", Control(paused=True))
    async with Partner() as partner, sending(settings) as running:
        bench.decide(job_for(partner.url("/i"), n) for n in range(20))
        bench.decide([job_for(partner.url("/i"), 20, partner="other")])
        await eventually_async(lambda: running.counted("retries_total", partner="acme", reason="paused") >= 20)
        status, out, err = await asyncio.to_thread(ringback, "purge", "acmee", "--yes")
        assert (status, out) == (2, "")
        assert "did you mean acme?" in err
        assert (await asyncio.to_thread(ringback, "purge", "acme"))[0] == 2
        status, out, err = await asyncio.to_thread(ringback, "purge", "acme", "--yes")
        assert status == 0, err
        assert "ends as suppressed" in out
        bench.decide([job_for(partner.url("/i"), 21)])
        for name in ("acme", "other"):
            await asyncio.to_thread(control.write_control, settings, "partner", name, None)
        await ended(bench, 22)
        assert sorted(map(str, partner.job_ids())) == ["job-20", "job-21"]
    assert bench.outcomes() == {"suppressed": 20, "delivered": 2}
    assert {one.error for one in bench.receipts() if one.outcome == "suppressed"} == {"purged"}
