"""The jobs of two configurations beside each other."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.config import Endpoint, Parameter
from schemas.decision import Decision, Verdict
from schemas.job import Deferred, Job, Part, Request
from streams.replay.compare import EXAMPLES, Comparison, Postback, Side, differences, written
from streams.templates.request import Refusal, compile_request


def job(name: str, url: str = "https://a.example/", postback: str = "p", **fields: Any) -> Job:
    said: dict[str, Any] = {"partner": "acme", "app_id": "game", "event": "install", "device_key": "game|d"}
    numbers = dict.fromkeys(("generation", "decided_at", "due_at", "max_age", "retry_attempts"), 0)
    request = Request("GET", (url,))
    return Job(job_id=name, postback_id=postback, record_id=f"r-{name}", request=request, **(said | numbers | fields))


def counts(row: Postback) -> tuple[int, ...]:
    return row.before, row.after, row.more, row.fewer, row.changed


def compared(*taken: tuple[Side, Job]) -> Postback:
    found = Comparison()
    for side, one in taken:
        found.take(side, one, 1)
    found.settle()
    assert len(found) == 0
    return found.postbacks["p"]


def test_the_same_jobs_change_nothing_whoever_comes_first() -> None:
    row = compared(("before", job("1")), ("after", job("1")), ("after", job("2")), ("before", job("2")))
    assert counts(row) == (2, 2, 0, 0, 0)
    assert row.is_same


def decided(
    result: str = "processed", reason: str | None = None, record: str = "r-1", scope: str = "device"
) -> Decision:
    verdicts = [Verdict(postback_id="p", event="install", reason=reason)] if reason else []
    said: dict[str, Any] = {"kind": "install", "event_name": "install", "app_id": "game", "scope": scope}
    numbers = dict.fromkeys(("at", "appended", "decided_at", "generation"), 0)
    return Decision(record_id=record, device_key="game|d", result=result, verdicts=verdicts, **(said | numbers))


@pytest.mark.parametrize(
    ("decisions", "why"),
    [
        ([decided(reason="other_source")], "other_source"),
        ([decided("too_late")], "too_late"),
        ([decided("held"), decided(reason="late"), decided("duplicate")], "late"),
        ([decided(), decided(reason="not_first", scope="user")], "not_first"),
        ([decided(), decided(reason="paused", record="r-2")], None),
        ([], None),
    ],
)
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("job_first", [True, False])
def test_why_a_side_has_no_job_is_what_it_decided(
    side: Side, job_first: bool, decisions: list[Decision], why: str | None
) -> None:
    found = Comparison()
    other: Side = "after" if side == "before" else "before"
    if job_first:
        found.take(other, job("1"), 1)
    for one in decisions:
        found.told(side, one)
    if not job_first:
        found.take(other, job("1"), 1)
    found.settle()
    assert len(found) == 0
    (example,) = found.postbacks["p"].examples["more" if side == "before" else "fewer"]
    assert example.why == why


def test_a_job_that_one_side_has_twice_is_waited_for_once() -> None:
    found = Comparison()
    found.take("before", job("1"), 1)
    found.take("before", job("1"), 2)
    assert len(found) == 1
    found.take("after", job("1"), 2)
    found.told("after", decided(reason="paused"))
    found.settle()
    assert (len(found), found.postbacks["p"].fewer) == (0, 0)


def test_only_so_many_decisions_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.replay.compare.RECENT", 1)
    found = Comparison()
    found.told("after", decided(reason="paused"))
    found.told("after", decided(reason="paused", record="r-2"))
    for name in ("1", "2"):
        found.take("before", job(name), 1)
    found.settle()
    assert [one.why for one in found.postbacks["p"].examples["fewer"]] == [None, "paused"]


def test_what_only_one_side_has_is_more_or_fewer() -> None:
    row = compared(("before", job("1")), ("after", job("2")), ("after", job("3")))
    assert counts(row) == (1, 2, 2, 1, 0)
    assert [(one.record_id, one.before, one.after) for one in row.examples["fewer"]] == [
        ("r-1", Request("GET", ("https://a.example/",)), None)
    ]
    assert [one.record_id for one in row.examples["more"]] == ["r-2", "r-3"]


@pytest.mark.parametrize("first", ["before", "after"])
def test_the_same_job_with_another_request_is_changed(first: Side) -> None:
    sides: dict[Side, Job] = {"before": job("1", "https://a.example/was"), "after": job("1", "https://a.example/now")}
    second: Side = "after" if first == "before" else "before"
    row = compared((first, sides[first]), (second, sides[second]))
    assert counts(row) == (1, 1, 0, 0, 1)
    (one,) = row.examples["changed"]
    assert one.before is not None
    assert one.after is not None
    assert list(differences(one.before, one.after)) == [("url", "https://a.example/was", "https://a.example/now")]


def test_when_a_job_is_due_changes_no_request() -> None:
    assert compared(("before", job("1", due_at=5)), ("after", job("1", due_at=9, generation=2))).is_same


def test_there_are_few_examples_of_many_jobs() -> None:
    row = compared(*(("after", job(str(number))) for number in range(100)))
    assert (row.more, len(row.examples["more"])) == (100, EXAMPLES)


def test_jobs_wait_for_their_twins_only_as_long_as_these_can_come() -> None:
    found = Comparison()
    found.take("before", job("1"), 10)
    found.take("before", job("2"), 20)
    found.settle(15)
    assert (len(found), found.postbacks["p"].fewer) == (1, 1)
    found.take("after", job("2"), 20)
    assert (len(found), found.postbacks["p"].fewer) == (0, 1)


SECRET = "${env:ACME_KEY}"


@pytest.mark.parametrize(
    ("endpoint", "fields", "url"),
    [
        ("https://a.example/?k={partner.key}", {"key": SECRET}, "https://a.example/?k=${env:ACME_KEY}"),
        ("https://a.example/?n={attempt}", {}, "https://a.example/?n={attempt}"),
        ("https://a.example/?n={now|unix}", {}, "https://a.example/?n={now|unix}"),
        ("https://a.example/?c={click_id}", {}, "https://a.example/?c=c%201"),
        (
            "https://a.example/?s={click_id|hmac_sha256:${env:ACME_KEY}}",
            {},
            "https://a.example/?s={c 1|hmac_sha256:${env:ACME_KEY}}",
        ),
    ],
)
def test_what_only_the_sender_knows_stands_as_it_is_written(endpoint: str, fields: dict[str, str], url: str) -> None:
    request = compile_request(Endpoint(url=endpoint), fields).render({"click_id": "c 1"})
    assert not isinstance(request, Refusal)
    assert written(request.url) == url


def test_every_part_of_a_request_is_compared() -> None:
    headers: tuple[tuple[str, tuple[Part, ...]], ...] = (("X-Key", (Deferred("text", SECRET, (), "header"),)),)
    one = Request("POST", ("https://a.example/",), headers, ("{}",))
    assert list(differences(Request("GET", ("https://a.example/",)), one)) == [
        ("method", "GET", "POST"),
        ("headers", "", "X-Key: ${env:ACME_KEY}"),
        ("body", "", "{}"),
    ]
    assert list(differences(one, one)) == []


def test_a_parameter_shows_in_the_url() -> None:
    request = compile_request(Endpoint(url="https://a.example/", parameters=(Parameter(name="n", value="1"),)), {})
    rendered = request.render({})
    assert not isinstance(rendered, Refusal)
    assert written(rendered.url) == "https://a.example/?n=1"
