"""How topics must be kept, judged from what a broker told of them."""

from __future__ import annotations

import pytest

from schemas.config import Source
from streams import kafka
from streams.attribution.identity import LONGEST_NAME
from streams.doctor import kept
from streams.doctor.findings import Finding
from streams.doctor.kept import Cluster, Kept
from streams.engine.output import Limits
from streams.engine.startup import changelog_config
from streams.settings import Settings

INSTALLS, EVENTS = Source(topic="in", record="install"), Source(topic="ev", record="event")
STAMPED = {"message.timestamp.type": "LogAppendTime"}
ROWS = kafka.topic_table("p.")
#: Of librdkafka: how much it gathers into one batch. Of Kafka: what a batch and a record have beside keys and values,
#: and what a broker takes by default.
BATCH_SIZE, FRAMING, BROKERS_DEFAULT = 1_000_000, 200, 1_048_588


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


def test_a_source_that_is_rekeyed_may_have_any_count() -> None:
    rekeyed = Source(topic="ev", record="event", rekey=True)
    found = {"in": Kept(4, config=STAMPED), "ev": Kept(6, config=STAMPED)}
    assert bad(kept.inputs([INSTALLS, rekeyed], found)) == []


def test_no_source_at_all_is_wrong() -> None:
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
        "stuck": Kept(2, replicas=2, in_step=1, behind=1, config={"min.insync.replicas": "2"}),
    }
    said = {one.found: one.verdict for one in kept.replication(found, Cluster(2, 1))}
    assert said == {
        "partitions without a leader: dead": "wrong",
        "replicas are behind or away: behind, stuck": "warning",
        "stuck: min.insync.replicas is 2, with 1 of 2 replicas in step nothing can be written": "wrong",
    }


@pytest.mark.parametrize(
    ("asked", "replicas", "in_step", "capped", "said"),
    [
        (1, 1, 1, True, None),
        # Since 3.7 it counts as the number of replicas; before, no write was possible.
        (2, 1, 1, True, None),
        (2, 1, 1, False, ("wrong", "with 1 replica nothing can be written")),
        (3, 2, 2, True, ("warning", "with 2 replicas the end of one broker stops all writing")),
        (3, 2, 2, False, ("wrong", "with 2 replicas nothing can be written")),
        (2, 2, 2, True, ("warning", "with 2 replicas the end of one broker stops all writing")),
        (2, 3, 3, True, None),
        (2, 3, 2, True, None),
        (2, 3, 1, True, ("wrong", "with 1 of 3 replicas in step nothing can be written")),
    ],
)
def test_replicas_in_step(asked: int, replicas: int, in_step: int, capped: bool, said: tuple[str, str] | None) -> None:
    topic = Kept(4, replicas, in_step=in_step, config={"min.insync.replicas": str(asked)})
    found = list(kept.replication({"a": topic}, Cluster(1, 1, capped)))
    assert [(one.verdict, one.found) for one in found] == (
        [(said[0], f"a: min.insync.replicas is {asked}, {said[1]}")] if said else []
    )


def test_a_changelog_of_another_count_or_that_is_deleted_is_wrong() -> None:
    assert [one.verdict for one in kept.changelog("c", {}, 4, 1)] == ["ok"]
    assert list(kept.changelog("c", {"c": Kept(4, config={"cleanup.policy": "compact"})}, 4, 1)) == []
    found = list(kept.changelog("c", {"c": Kept(3, config={"cleanup.policy": "delete"})}, 4, 1))
    assert [one.verdict for one in found] == ["wrong", "wrong"]
    assert "RINGBACK_WORKER_ID" in found[0].remedy
    assert "cleanup.policy=compact" in found[1].remedy


def test_a_changelog_that_refuses_a_large_state_is_wrong() -> None:
    def look(taken: int, record_bytes: int) -> list[Finding]:
        found = {"c": Kept(4, config={"max.message.bytes": str(taken)})}
        return list(kept.changelog("c", found, 4, kafka.largest_state(record_bytes)))

    assert look(int(changelog_config(Settings())["max.message.bytes"]), 5_000_000) == []
    assert look(1_048_588, 1_000_000) == []
    (found,) = look(1_048_588, 5_000_000)
    assert (found.verdict, "max.message.bytes is 1048588, expected at least 5048576" in found.found) == ("wrong", True)
    assert found.remedy.endswith("max.message.bytes=5048576")
    assert [one.verdict for one in look(100, 1_000)] == ["wrong"]


def test_every_topic_of_ours_takes_what_is_written_to_it() -> None:
    key = 4 * (LONGEST_NAME + 1_000)  # a device key: the app's id and an identifier, in UTF-8
    needed = max(Limits().job_bytes, BATCH_SIZE) + key + FRAMING
    for row in ROWS:
        assert int(row.config()["max.message.bytes"]) >= needed, row.name
    assert kafka.LARGEST_BATCH <= BROKERS_DEFAULT


def test_a_long_list_of_topics_is_cut() -> None:
    (found,) = kept.missing([f"t{number}" for number in range(9)], {})
    assert found.found == "missing: t0, t1, t2, t3, t4, t5 and 3 more"
