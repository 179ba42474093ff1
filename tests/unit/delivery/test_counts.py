"""How jobs ended, for the report: exact whatever becomes of a transaction."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.report import ReportRow
from streams.delivery.counts import Counting, Counts
from streams.delivery.outcomes import Aborted, Fatal
from streams.delivery.settling import Ended, Record

OTHER = (0, Record("receipts", b"k", b"{}"))


def ended(
    outcome: str = "delivered", postback: str = "p", day: int = 20_000, campaign: tuple[str, str | None] = ("c1", None)
) -> Ended:
    return Ended((day, "game", 1, "acme", postback, "install", *campaign), outcome)  # type: ignore[arg-type]


def receipt(one: Ended, partition: int = 0) -> tuple[int, Record]:
    return partition, Record("receipts", b"k", b"{}", ended=one)


class Topic:
    """The report topic as its readers see it, and a commit that does what it is told."""

    def __init__(self) -> None:
        self.fails: list[type[Exception]] = []
        self.rows: dict[tuple[int, bytes], ReportRow] = {}
        self.written = 0

    def __call__(self, records: list[tuple[int, Record]], positions: list[object]) -> None:
        if self.fails and (error := self.fails.pop(0)) is not None:
            raise error("told to")
        for partition, record in records:
            if record.topic == "report":
                self.written += 1
                row = msgspec.json.decode(record.value, type=ReportRow)
                assert record.key == row.key()
                self.rows[partition, record.key] = row

    def sums(self) -> dict[tuple[str, str], Counter[str]]:
        found: dict[tuple[str, str], Counter[str]] = {}
        for row in self.rows.values():
            found.setdefault((row.day, row.postback_id or ""), Counter()).update(row.counts)
        return found


def test_a_transaction_holds_the_whole_count_of_each_row_it_adds_to() -> None:
    topic = Topic()
    count = Counting(topic, Counts("report", "w"))
    count([receipt(ended()), receipt(ended()), receipt(ended("failed"))], [])
    count([receipt(ended()), receipt(ended(postback="q")), OTHER], [])
    (row,) = [row for row in topic.rows.values() if row.postback_id == "p"]
    assert (row.kind, row.stage, row.day, row.app_id, row.generation) == ("ended", "sender", "2024-10-04", "game", 1)
    assert (row.partner, row.event, row.counts) == ("acme", "install", {"delivered": 3, "failed": 1})
    assert topic.sums()["2024-10-04", "q"] == {"delivered": 1}


def test_campaigns_have_rows_of_their_own() -> None:
    topic = Topic()
    Counting(topic, Counts("report", "w"))([receipt(ended()), receipt(ended(campaign=("c2", "Winter")))], [])
    found = {(row.campaign_id, row.campaign_name): row.counts for row in topic.rows.values()}
    assert found == {("c1", None): {"delivered": 1}, ("c2", "Winter"): {"delivered": 1}}


def test_what_ends_nothing_writes_no_row() -> None:
    topic = Topic()
    Counting(topic, Counts("report", "w"))([OTHER], [])
    assert topic.written == 0


def test_an_aborted_transaction_that_is_done_again_counts_once_and_without_what_was_lost() -> None:
    topic = Topic()
    topic.fails = [Aborted]
    count = Counting(topic, Counts("report", "w"))
    with pytest.raises(Aborted):
        count([receipt(ended()), receipt(ended("failed"))], [])
    count([receipt(ended())], [])
    assert topic.sums() == {("2024-10-04", "p"): {"delivered": 1}}


def test_a_run_never_writes_a_row_of_another_run() -> None:
    topic = Topic()
    for writer in ("a", "b"):
        Counting(topic, Counts("report", writer))([receipt(ended())], [])
    assert len(topic.rows) == 2
    assert topic.sums() == {("2024-10-04", "p"): {"delivered": 2}}


def test_rows_stay_in_the_partition_where_the_run_began() -> None:
    topic = Topic()
    count = Counting(topic, Counts("report", "w"))
    count([receipt(ended(), 3)], [])
    count([receipt(ended(), 1)], [])
    ((partition, _),) = topic.rows
    assert partition == 3


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from(["delivered", "failed"]), st.sampled_from("pqr")), max_size=5),
            st.sampled_from(["ok", "aborted", "killed"]),
        ),
        max_size=30,
    ),
    st.integers(1, 4),
)
def test_the_sum_is_what_was_committed_through_aborts_deaths_and_any_memory(
    batches: list[tuple[list[tuple[str, str]], str]], most: int
) -> None:
    topic, runs = Topic(), 0
    committed: dict[tuple[str, str], Counter[str]] = {}
    count = Counting(topic, Counts("report", "0", most))
    for number, (batch, fate) in enumerate(batches):
        records = [receipt(ended(outcome, postback), number % 4) for outcome, postback in batch]
        if fate != "ok":
            topic.fails = [Aborted if fate == "aborted" else Fatal]
            with pytest.raises((Aborted, Fatal)):
                count(records, [])
        if fate == "killed":
            runs += 1
            count = Counting(topic, Counts("report", str(runs), most))
        count(records, [])
        for outcome, postback in batch:
            committed.setdefault(("2024-10-04", postback), Counter())[outcome] += 1
    assert topic.sums() == committed
