"""How topics must be kept, judged from what a broker told of them."""

from __future__ import annotations

import pytest

from schemas.config import Source
from streams import kafka
from streams.doctor import kept
from streams.doctor.findings import Finding
from streams.doctor.kept import Cluster, Kept

INSTALLS, EVENTS = Source(topic="in", record="install"), Source(topic="ev", record="event")
STAMPED = {"message.timestamp.type": "LogAppendTime"}
ROWS = kafka.topic_table("p.")


def bad(findings: object) -> list[Finding]:
    return [one for one in findings if one.verdict != "ok"]  # type: ignore[attr-defined]


def test_equal_stamped_inputs_are_well() -> None:
    found = {"in": Kept(4, config=STAMPED), "ev": Kept(4, config=STAMPED)}
    assert [one.found for one in kept.inputs([INSTALLS, EVENTS], found)] == ["in: 4 partitions", "ev: 4 partitions"]
    assert bad(kept.inputs([INSTALLS, EVENTS], found)) == []


def test_inputs_that_are_missing_or_unequal_or_stamped_by_producers_are_named() -> None:
    found = {"in": Kept(4, config=STAMPED)}
    assert bad(kept.inputs([INSTALLS, EVENTS], found)) == [Finding("wrong", "missing: ev", "ringback topics create")]

    found["ev"] = Kept(6, config={"message.timestamp.type": "CreateTime"})
    unequal, stamp = bad(kept.inputs([INSTALLS, EVENTS], found))
    assert unequal.verdict == "wrong"
    assert unequal.found.startswith("in has 4 partitions, ev has 6")
    assert (stamp.verdict, "ev: message.timestamp.type is CreateTime" in stamp.found) == ("warning", True)
    assert "--entity-name ev --add-config message.timestamp.type=LogAppendTime" in stamp.remedy


def test_a_source_that_the_worker_refuses_is_wrong() -> None:
    rekeyed = Source(topic="ev", record="event", rekey=True)
    (found,) = bad(kept.inputs([rekeyed], {"ev": Kept(4, config=STAMPED)}))
    assert (found.verdict, "not supported yet" in found.found) == ("wrong", True)
    assert [one.verdict for one in kept.inputs([], {})] == ["wrong"]


def as_wanted() -> dict[str, Kept]:
    return {row.name: Kept(4, config=row.config()) for row in ROWS}


@pytest.mark.parametrize(
    ("topic", "config", "verdict"),
    [
        ("p.receipts", {"retention.ms": "3600000"}, "warning"),
        ("p.delivery", {"retention.ms": "3600000"}, "wrong"),
        ("p.delivery.retry.8s", {"retention.ms": "86399999"}, "wrong"),
        ("p.delivery", {"retention.ms": "86400000"}, "warning"),
        ("p.delivery", {"retention.ms": "604800000", "retention.bytes": "1000"}, "warning"),
    ],
)
def test_a_topic_that_forgets_too_soon(topic: str, config: dict[str, str], verdict: str) -> None:
    found = as_wanted() | {topic: Kept(4, config=config)}
    names = kafka.Topics("p.")
    (finding,) = kept.retention(ROWS, found, [names.delivery, *names.retries()])
    assert finding.verdict == verdict
    assert finding.found.startswith(f"{topic}: retention.")
    assert f"--entity-name {topic}" in finding.remedy


@pytest.mark.parametrize("retention", ["-1", "99999999999"])
def test_a_topic_may_be_kept_for_longer(retention: str) -> None:
    found = as_wanted() | {"p.delivery": Kept(4, config={"retention.ms": retention})}
    assert list(kept.retention(ROWS, found, [])) == []
    assert list(kept.retention(ROWS, {}, [])) == []


def test_replication_is_judged_by_the_setting_and_by_how_many_brokers_there_are() -> None:
    alone = {"a": Kept(1), "b": Kept(1)}
    assert list(kept.replication(alone, Cluster(brokers=1, replication=3))) == []
    (few,) = kept.replication(alone, Cluster(brokers=3, replication=3))
    assert (few.verdict, few.found) == ("warning", "fewer than 3 replicas (RINGBACK_REPLICATION): a, b")
    (one,) = kept.replication(alone, Cluster(brokers=3, replication=1))
    assert "one replica only" in one.found


def test_partitions_that_cannot_be_written_are_wrong() -> None:
    found = {
        "dead": Kept(2, replicas=2, leaderless=1, behind=1),
        "behind": Kept(2, replicas=2, behind=2),
        "stuck": Kept(2, replicas=2, config={"min.insync.replicas": "3"}),
    }
    said = {one.found: one.verdict for one in kept.replication(found, Cluster(2, 1))}
    assert said == {
        "partitions without a leader: dead": "wrong",
        "replicas are behind or away: behind": "warning",
        "stuck: min.insync.replicas is 3, with 2 replicas nothing can be written": "wrong",
    }


def test_a_changelog_of_another_count_or_that_is_deleted_is_wrong() -> None:
    assert [one.verdict for one in kept.changelog("c", {}, 4)] == ["ok"]
    assert list(kept.changelog("c", {"c": Kept(4, config={"cleanup.policy": "compact"})}, 4)) == []
    found = list(kept.changelog("c", {"c": Kept(3, config={"cleanup.policy": "delete"})}, 4))
    assert [one.verdict for one in found] == ["wrong", "wrong"]
    assert "RINGBACK_WORKER_ID" in found[0].remedy
    assert "cleanup.policy=compact" in found[1].remedy


def test_a_long_list_of_topics_is_cut() -> None:
    (found,) = kept.missing([f"t{number}" for number in range(9)], {})
    assert found.found == "missing: t0, t1, t2, t3, t4, t5 and 3 more"
