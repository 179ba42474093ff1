"""Which letters a filter means, and how they are grouped."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.dead_letter import DeadLetter
from streams.letters import groups
from streams.letters.asked import Asked
from streams.letters.found import Address
from streams.letters.groups import Groups
from tests.support.sending import job_for

NAMES = st.sampled_from(["a", "b"])


def letter(**more: Any) -> DeadLetter:
    own = {"kind": "job", "reason": "poison", "detail": "d", "topic": "t", "partition": 0, "offset": 1, "at": 100}
    return DeadLetter(**(own | more))


letters = st.builds(
    letter,
    kind=st.sampled_from(["job", "input"]),
    reason=NAMES,
    topic=NAMES,
    partner=NAMES | st.none(),
    postback_id=NAMES | st.none(),
    app_id=NAMES | st.none(),
    event=NAMES | st.none(),
    status=st.integers(199, 700) | st.none(),
    at=st.integers(0, 20),
    job_id=NAMES | st.none(),
)
addresses = st.builds(Address, st.integers(0, 1), st.integers(0, 3))
questions = st.builds(
    Asked,
    kind=st.sampled_from(["job", "input"]) | st.none(),
    reason=NAMES | st.none(),
    partner=NAMES | st.none(),
    postback=NAMES | st.none(),
    app=NAMES | st.none(),
    event=NAMES | st.none(),
    statuses=st.just(()) | st.just(((400, 404), (500, 599))),
    since=st.integers(0, 20) | st.none(),
    until=st.integers(0, 20) | st.none(),
    addresses=st.just(frozenset()),
    job_ids=st.just(frozenset()),
)


@given(questions, addresses, letters)
def test_every_filter_must_hold(asked: Asked, at: Address, one: DeadLetter) -> None:
    """Said once more, the long way."""
    wanted = (
        asked.kind in (None, one.kind)
        and asked.reason in (None, one.reason)
        and asked.partner in (None, one.partner)
        and asked.postback in (None, one.postback_id)
        and asked.app in (None, one.app_id)
        and asked.event in (None, one.event)
        and (not asked.statuses or one.status in {*range(400, 405), *range(500, 600)})
        and (asked.since is None or one.at >= asked.since)
        and (asked.until is None or one.at < asked.until)
    )
    assert asked.means(at, one) == wanted
    named = asked._replace(addresses={Address(0, 1)}, job_ids={"a"})
    assert named.means(at, one) == (wanted and (at == Address(0, 1) or one.job_id == "a"))
    assert asked.is_everything == (asked == Asked(addresses=frozenset(), job_ids=frozenset()))
    assert not named.is_everything


@given(questions, st.integers(0, 20), st.integers(199, 700) | st.none(), NAMES)
def test_of_a_job_without_a_letter_all_must_hold_that_can(asked: Asked, at: int, status: int | None, name: str) -> None:
    job = job_for("http://partner.example/", 1, partner=name, postback_id=name, app_id=name, event=name)
    assert asked.means_job(job, at, status) == (
        asked.kind != "input"
        and asked.reason is None
        and {asked.partner, asked.postback, asked.app, asked.event} <= {None, name}
        and (not asked.statuses or status in {*range(400, 405), *range(500, 600)})
        and (asked.until is None or at < asked.until)
    )


@given(st.lists(st.tuples(addresses, letters)))
def test_groups_count_every_letter_once_and_keep_nothing_large(some: list[tuple[Address, DeadLetter]]) -> None:
    found = Groups()
    for at, one in some:
        one.value = b"x"
        found.take(at, one)
    wanted = Counter(groups.group_of(one) for _, one in some)
    assert {group: counted.count for group, counted in found.lines()} == wanted
    assert found.total == len(some)
    for group, counted in found.lines():
        times = [one.at for _, one in some if groups.group_of(one) == group]
        assert (counted.oldest, counted.newest, counted.example.letter.at) == (min(times), max(times), max(times))
        assert counted.example.letter.value is None


def test_names_without_end_do_not_fill_the_memory() -> None:
    found = Groups()
    for number in range(groups.MOST + 500):
        found.take(Address(0, number), letter(partner=f"p{number}"))
    assert len(found.lines()) <= groups.MOST + 2
    assert found.total == groups.MOST + 500
    assert found.lines()[0][0].whose == groups.OTHERS
