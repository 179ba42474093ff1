"""How long a template takes to render and to finish: `python -m tests.benchmarks.render`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from schemas.config import Endpoint, Parameter
from schemas.job import Request
from streams.templates.finish import finish
from streams.templates.request import compile_request

URL = "https://postback.acme.example/i?click_id={click_id}&aid={google_aid|lower|sha256}&at={event_timestamp}&event={event}&id={job_id}"
VALUES: dict[str, object] = {
    "click_id": "9f2c-11aa_b7",
    "google_aid": "38400000-8CF0-11BD-B23E-10B96E40000D",
    "event_timestamp": 1_767_323_045_678,
    "event": "first_payment",
    "job_id": "5db3d84c79b48df5adbc40077543c90a",
    "revenue": 4.995,
}


def microseconds(action: Callable[[], object], rounds: int = 5, count: int = 10_000) -> float:
    """The median over the rounds of one call's time."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(count):
            action()
        taken.append((time.perf_counter() - start) / count * 1e6)
    return statistics.median(taken)


def measure() -> dict[str, float]:
    """Microseconds by what is done."""
    plain = compile_request(Endpoint(url=URL), {})
    parameters = (
        Parameter(name="payout", value="{revenue|fixed:2}"),
        Parameter(name="campaign", value="{campaign_id}", when_missing="drop"),
        Parameter(name="key", value="{partner.key}"),
        Parameter(name="attempt", value="{attempt}"),
    )
    rich = compile_request(Endpoint(url=URL, parameters=parameters), {"key": "${env:KEY}"})
    one, other = plain.render(VALUES), rich.render(VALUES)
    assert isinstance(one, Request)
    assert isinstance(other, Request)
    return {
        "render, 5 macros, sha256": microseconds(lambda: plain.render(VALUES)),
        "render, 9 macros, 2 deferred": microseconds(lambda: rich.render(VALUES)),
        "finish, nothing deferred": microseconds(lambda: finish(one, attempt=1, now=0, secret=str)),
        "finish, 2 deferred": microseconds(lambda: finish(other, attempt=1, now=0, secret=str)),
    }


if __name__ == "__main__":
    for name, taken in measure().items():
        print(f"{name}: {taken:.1f} µs")
