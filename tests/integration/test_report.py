"""`ringback report` on the real broker: what it shows, and what its check finds."""

from __future__ import annotations

import json
import threading
import time

import msgspec
import pytest
from confluent_kafka import Producer

from schemas.config import DAY
from schemas.report import ReportRow, UntoldMark, day_named
from streams.reports import reading
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.sending import Bench, configuration, job_for, partner_named, postback_named
from tests.support.topics import Sent, create_topics, produce

__all__ = ["ringback"]

TODAY = int(time.time() * 1000) // DAY


@pytest.fixture
def bench(settings: Settings) -> Bench:
    made = Bench(settings)
    made.create()
    made.configure(configuration([partner_named()], [postback_named()]))
    return made


def row(kind: str = "postback", stage: str = "device", day: int = TODAY, **more: object) -> ReportRow:
    of = {} if kind == "events" else {"partner": "acme", "postback_id": "acme-install", "event": "install"}
    return ReportRow(
        **({"kind": kind, "stage": stage, "day": day_named(day), "app_id": "game", "generation": 1} | of | more)
    )


def installs(count: int, **more: object) -> ReportRow:
    return row("events", publisher_name="acme", counts={"install": count}, **more)


def write(bench: Bench, *rows: ReportRow, partition: int = 0, timestamp: int | None = None) -> None:
    records = [Sent(msgspec.json.encode(one), one.key(), partition, timestamp) for one in rows]
    produce(bench.settings.bootstrap_servers, bench.topics.report, records)


def test_the_newest_record_of_each_row_and_partition_counts(bench: Bench, ringback: Run) -> None:
    write(bench, installs(1), row(counts={"decided": 1}))
    write(bench, installs(3), row(counts={"decided": 3}), installs(5, day=TODAY - 20))
    write(bench, installs(4), row(counts={"decided": 3, "no_consent": 1}), partition=2)
    # What was written before the first day began need not be read; a partition may have nothing else.
    write(bench, installs(7, day=TODAY - 40), partition=3, timestamp=(TODAY - 39) * DAY)
    aborted = Producer({"bootstrap.servers": bench.settings.bootstrap_servers, "transactional.id": "t"})
    aborted.init_transactions()
    aborted.begin_transaction()
    aborted.produce(bench.topics.report, msgspec.json.encode(installs(99)), installs(99).key(), 0)
    aborted.flush(10)
    aborted.abort_transaction()

    status, out, err = ringback("report")
    assert status == 0, err
    assert out.splitlines() == [
        "APP   PARTNER  EVENT    EVENTS  DECIDED  DELIVERED  WAITING  FAILED  SUPPRESSED  EXPIRED  REFUSED",
        "game  acme     install  7       6        0          6        0       0           0        1 no_consent",
    ]
    _, out, _ = ringback("report", "--days", "30", "--by", "day", "--format", "json")
    assert [(line["day"], line["decided"]) for line in json.loads(out)] == [
        (day_named(TODAY - 20), 0),
        (day_named(TODAY), 6),
    ]
    early = day_named(TODAY - 25), day_named(TODAY - 15)
    _, out, _ = ringback("report", "--from", early[0], "--to", early[1], "--format", "csv")
    assert out.splitlines()[1].startswith("game,acme,install,5,0,")
    _, out, _ = ringback(
        "report", "--to", day_named(TODAY - 21), "--by", "day", "--event", "install", "--format", "csv"
    )
    assert out.splitlines()[1].startswith(f"{day_named(TODAY - 40)},7,0,")
    status, out, err = ringback("report", "--event", "payment")
    assert (status, out) == (0, "")
    assert "nothing of that was counted" in err


def test_what_is_nowhere_is_told_with_what_was_probably_meant(bench: Bench, ringback: Run) -> None:
    write(bench, installs(1), installs(1, campaign_name="Winter"))
    for option, wrong, meant in (
        ("--app", "gane", "game"),
        ("--partner", "acne", "acme"),
        ("--campaign", "Wintr", "Winter"),
        ("--event", "instal", "install"),
    ):
        status, out, err = ringback("report", option, wrong)
        assert (status, out, f"no such {option[2:]}: {wrong}; did you mean {meant}?" in err) == (2, "", True), err


def test_no_cell_moves_the_cursor(bench: Bench, ringback: Run) -> None:
    write(bench, row("events", publisher_name="a\x1b[2J\r\nb\x9b", counts={"install": 1}))
    status, out, _ = ringback("report")
    assert (status, "a\ufffd[2J\ufffd\ufffdb\ufffd  install" in out, len(out.splitlines())) == (0, True, 2)


def test_check_compares_the_counts_with_the_jobs_that_lie_unfinished(bench: Bench, ringback: Run) -> None:
    bench.decide(job_for("http://127.0.0.1:1/", n, day=TODAY) for n in range(5))
    ended = row("ended", "sender", writer="w", counts={"delivered": 2, "expired": 1})
    write(bench, installs(9), row(counts={"decided": 8, "no_consent": 1}), ended)
    status, out, err = ringback("report", "--check")
    assert (status, out) == (
        0,
        "all counts agree: 9 derived events, 8 decided = 2 delivered + 0 failed + 0 suppressed + 1 expired + 5 "
        "waiting; 1 days of postbacks compared\n",
    ), err

    write(bench, row(counts={"decided": 9, "no_consent": 1}))
    status, out, _ = ringback("report", "--check")
    name = f"{day_named(TODAY)} acme-install (game, install, generation 1)"
    assert (status, out.splitlines()) == (
        1,
        [
            f"{name}: 9 derived events, but 9 decided and 1 refused",
            f"{name}: 6 wait by the counts, but 5 jobs lie unfinished in the delivery topics",
        ],
    )
    # Of other days all is well: there is nothing.
    assert ringback("report", "--check", "--to", day_named(TODAY - 1))[0] == 0


def test_a_difference_that_is_gone_at_a_second_look_is_none(
    bench: Bench, ringback: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(bench, installs(3), row(counts={"decided": 2}))
    read, looks = reading.counted, []

    def counted(settings: Settings, since: int | None = None) -> reading.Counted:
        """As if the rest was written just after it was read."""
        looks.append(since)
        found = read(settings, since)
        write(bench, row(counts={"decided": 2, "no_consent": 1}))
        return found

    monkeypatch.setattr(reading, "counted", counted)
    status, out, err = ringback("report", "--check")
    assert (len(looks), status) == (2, 1)
    assert "2 decided and 0 refused" not in out
    assert "2 wait by the counts, but 0 jobs lie" in out, err


MARK = UntoldMark(stage="device", since=TODAY * DAY, writer="w")


def mark(bench: Bench, of: UntoldMark | None, partition: int = 0) -> None:
    """Set the mark, or take it away."""
    value = None if of is None else msgspec.json.encode(of)
    produce(bench.settings.bootstrap_servers, bench.topics.report, [Sent(value, MARK.key(), partition)])


@pytest.mark.parametrize("after", [None, msgspec.structs.replace(MARK, since=TODAY * DAY + 1)], ids=["gone", "anew"])
def test_what_is_untold_is_waited_for_and_what_ends_meanwhile_is_not_counted(
    bench: Bench, ringback: Run, monkeypatch: pytest.MonkeyPatch, after: UntoldMark | None
) -> None:
    """A job has ended, and a worker has yet to tell that it was decided. Then it tells that, and of one more; and a
    sender ends that one too.
    """
    monkeypatch.setattr(reading, "TELL_SECONDS", 60.0)
    mark(bench, MARK)
    write(bench, row("ended", "sender", writer="s", counts={"delivered": 1}))

    def tell() -> None:
        write(bench, row("ended", "sender", writer="s", counts={"delivered": 2}))
        write(bench, installs(2, writer="w"), row(writer="w", counts={"decided": 2}))
        mark(bench, after)

    later = threading.Timer(1.0, tell)
    later.start()
    try:
        status, out, err = ringback("report", "--format", "json")
    finally:
        later.join()
    (line,) = json.loads(out)
    assert (status, line["decided"], line["delivered"], err) == (0, 2, 1, "")


def test_without_a_worker_it_says_what_is_behind_and_the_check_compares_the_rest(
    bench: Bench, ringback: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TELL_SECONDS", 0.2)
    mark(bench, MARK)
    mark(bench, MARK, partition=2)
    write(bench, installs(2), row(counts={"decided": 2}), row("ended", "sender", writer="s", counts={"delivered": 3}))
    behind = (
        f"the counts of 2 partitions are behind: since {day_named(TODAY)} 00:00:00+00:00 no worker (w) has told them"
    )
    status, out, err = ringback("report")
    assert (status, "install" in out, behind in " ".join(err.split())) == (0, True, True), err
    status, out, err = ringback("report", "--check")
    assert (status, out, behind in " ".join(err.split())) == (3, "", True), err
    # What does not depend on how jobs ended differs whoever runs.
    write(bench, installs(3))
    status, out, _ = ringback("report", "--check")
    assert (status, "3 derived events, but 2 decided and 0 refused" in out) == (1, True)
    mark(bench, None)
    mark(bench, None, partition=2)
    status, out, _ = ringback("report", "--check")
    assert (status, "2 decided, but 3 delivered" in out) == (1, True)


def test_what_was_asked_wrongly_is_told_before_kafka_is(ringback: Run) -> None:
    for arguments, told in (
        (("--by", "partner,colour"), "--by colour"),
        (("--from", "yesterday"), "--from yesterday"),
        (("--from", "2026-01-03", "--to", "2026-01-02"), "lies behind"),
        (("--days", "3", "--to", "2026-01-02"), "exclude each other"),
        (("--days", "999999"), "--days 999999: expected 1 to 36,500"),
        (("--days", "0"), "--days 0: expected"),
        (("--check", "--app", "game"), "--check looks at everything"),
    ):
        status, _, err = ringback("-b", "127.0.0.1:1", "report", *arguments)
        assert (status, told in err) == (2, True), err


def test_a_row_that_cannot_be_read_ends_it_with_its_place(bench: Bench, ringback: Run) -> None:
    produce(bench.settings.bootstrap_servers, bench.topics.report, [Sent(b"{}", b"k", 1)])
    status, _, err = ringback("report")
    assert status == 1
    assert f"{bench.topics.report} partition 1, key b'k'" in err


def test_without_the_topic_it_says_so(settings: Settings, ringback: Run) -> None:
    create_topics(settings.bootstrap_servers, {f"{settings.topic_prefix}other": 1})
    status, _, err = ringback("report")
    assert status == 1
    assert "there is no topic" in err
