"""What is done about the topics that a configuration needs."""

from __future__ import annotations

import pytest

from schemas.config import Source
from streams.kafka import Topics, topic_table
from streams.topics import Found, Plan, claims_problems, plan, rekeyed_topic

PREFIX = "p."
SOURCES = (Source(topic="installs", record="install"), Source(topic="events", record="event"))
NAMES = Topics(PREFIX)


def everything(inputs: int, **counts: int) -> dict[str, Found]:
    """All topics as they should be; `counts` by name with underscores for dots."""
    found = {source.topic: Found(inputs) for source in SOURCES}
    found |= {row.name: Found(row.partitions(inputs), row.config()) for row in topic_table(PREFIX)}
    return found | {name.replace("_", "."): Found(count) for name, count in counts.items()}


def planned(found: dict[str, Found], partitions: int = 8) -> Plan:
    return plan(SOURCES, PREFIX, found, partitions, "w")


def counts(plan: Plan) -> dict[str, int]:
    return {topic.name: topic.partitions for topic in plan.create}


def test_with_nothing_there_everything_is_made_with_the_count_of_the_settings() -> None:
    made = planned({}, 20)
    assert not made.problems
    assert made.create == made.wanted
    found = counts(made)
    assert (found["installs"], found["events"], found["p.delivery"], found["p.delivery.retry.8s"]) == (20, 20, 20, 20)
    assert (found["p.users"], found["p.config"], found["p.control"]) == (16, 1, 1)


def test_again_there_is_nothing_to_do() -> None:
    made = planned(everything(8))
    assert (made.create, made.problems) == ((), ())


def test_existing_input_topics_set_the_count() -> None:
    made = planned({"events": Found(3)})
    assert not made.problems
    assert counts(made)["installs"] == counts(made)["p.delivery"] == counts(made)["p.users"] == 3
    assert "events" not in counts(made)


def test_unequal_input_topics_are_refused_with_the_remedy() -> None:
    (problem,) = planned({"events": Found(4), "installs": Found(2)}).problems
    assert (problem.topic, problem.message) == ("installs", "has 2 partitions, events has 4")
    assert "rekey: true" in problem.remedy


@pytest.mark.parametrize("name", ["users", "delivery", "delivery.retry.8s", "report"])
def test_a_topic_of_ours_is_no_source(name: str) -> None:
    sources = (*SOURCES, Source(topic=f"ringback.{name}", record="event"))
    (problem,) = plan(sources, "ringback.", everything(4), 8, "w").problems
    assert (problem.topic, problem.message) == (f"ringback.{name}", "is a topic of Ringback's own, and a source")


def test_a_rekeyed_source_may_have_any_count() -> None:
    sources = (Source(topic="installs", record="install", rekey=True), Source(topic="events", record="event"))
    made = plan(sources, PREFIX, {"installs": Found(2), "events": Found(4)}, 8, "w")
    assert not made.problems
    assert counts(made)["p.delivery"] == counts(made)["w-rekey-installs"] == 4
    (internal,) = [topic for topic in made.wanted if topic.name == "w-rekey-installs"]
    assert internal.ours
    assert internal.config["message.timestamp.type"] == "LogAppendTime"
    (problem,) = plan(sources, PREFIX, {"events": Found(4), "w-rekey-installs": Found(3)}, 8, "w").problems
    assert (problem.topic, "has 3 partitions, expected 4" in problem.message) == ("w-rekey-installs", True)


def test_when_all_sources_are_rekeyed_our_own_topics_set_the_count() -> None:
    sources = (Source(topic="events", record="event", rekey=True),)
    assert counts(plan(sources, PREFIX, {"events": Found(4)}, 8, "w"))["w-rekey-events"] == 8
    made = plan(sources, PREFIX, {"events": Found(4), "p.delivery": Found(6)}, 8, "w")
    assert counts(made)["w-rekey-events"] == counts(made)["p.receipts"] == 6


def test_workers_of_two_ids_rekey_into_topics_of_their_own() -> None:
    assert rekeyed_topic("one", "events") != rekeyed_topic("two", "events")


def test_too_few_partitions_of_ours_can_be_raised() -> None:
    (problem,) = planned(everything(8, p_delivery=4)).problems
    assert (problem.topic, problem.message) == (
        "p.delivery",
        "has 4 partitions, expected 8 as the input topics have it",
    )
    assert "--partitions 8" in problem.remedy


@pytest.mark.parametrize("name", ["p_delivery", "p_config"])
def test_too_many_partitions_of_ours_cannot_be_taken_away(name: str) -> None:
    (problem,) = planned(everything(8, **{name: 16})).problems
    assert "RINGBACK_TOPIC_PREFIX" in problem.remedy


def test_a_topic_that_is_kept_in_a_way_that_breaks_us_is_refused() -> None:
    found = everything(8)
    found[NAMES.retry("8s")] = Found(8, {"cleanup.policy": "delete", "message.timestamp.type": "CreateTime"})
    found[NAMES.config] = Found(1, {"cleanup.policy": "delete"})
    problems = {problem.topic: problem for problem in planned(found).problems}
    assert "LogAppendTime" in problems[NAMES.retry("8s")].remedy
    assert "cleanup.policy=compact" in problems[NAMES.config].remedy


@pytest.mark.parametrize(("bytes_taken", "fits"), [(1_048_588, False), (2 * 1024 * 1024, True), (8_000_000, True)])
def test_the_dead_letters_must_take_what_they_may_be_given(bytes_taken: int, fits: bool) -> None:
    found = everything(8)
    found[NAMES.dead_letters] = Found(8, {"cleanup.policy": "delete", "max.message.bytes": str(bytes_taken)})
    assert [problem.topic for problem in planned(found).problems] == ([] if fits else [NAMES.dead_letters])


def test_retention_is_the_users_to_change() -> None:
    found = everything(8)
    found[NAMES.receipts] = Found(8, {"cleanup.policy": "delete", "retention.ms": "1"})
    assert not planned(found).problems


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Found(1, {"cleanup.policy": "compact"}), []),
        (Found(1), []),
        (Found(3, {"cleanup.policy": "compact"}), ["has 3 partitions"]),
        (Found(1, {"cleanup.policy": "compact,delete"}), ["cleanup.policy is compact,delete"]),
        (Found(2, {"cleanup.policy": "delete"}), ["has 2 partitions", "cleanup.policy is delete"]),
    ],
)
def test_claims_lie_in_one_compacted_partition(found: Found, said: list[str]) -> None:
    problems = list(claims_problems("w-owners", found))
    assert [problem.message[: len(words)] for problem, words in zip(problems, said, strict=True)] == said
    assert all(problem.topic == "w-owners" and problem.remedy for problem in problems)
