"""/metrics, /healthz and /readyz, on a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from streams import probes
from streams.errors import Stop
from streams.metrics import Metrics


@pytest.fixture
async def readiness() -> probes.Readiness:
    return probes.Readiness("broker", "recovered")


@pytest.fixture
async def base(readiness: probes.Readiness) -> AsyncIterator[str]:
    server = await probes.serve("127.0.0.1", 0, Metrics().registry, readiness)
    yield f"http://127.0.0.1:{server.port}"
    await server.close()


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_ready_when_every_condition_is_met(base: str, readiness: probes.Readiness) -> None:
    status, text = await get(f"{base}/readyz")
    assert status == 503
    assert '"broker": "starting"' in text
    readiness.set("broker", True)
    readiness.set("recovered", False, "3 partitions left")
    assert "3 partitions left" in (await get(f"{base}/readyz"))[1]
    readiness.set("recovered", True)
    assert (await get(f"{base}/readyz"))[0] == 200


async def test_unready_is_not_unhealthy(base: str, readiness: probes.Readiness) -> None:
    assert (await get(f"{base}/healthz"))[0] == 200
    readiness.stuck("no batch for 300 s")
    status, text = await get(f"{base}/healthz")
    assert status == 503
    assert "no batch for 300 s" in text


async def test_a_watch_is_asked_each_time(base: str, readiness: probes.Readiness) -> None:
    reasons: list[str | None] = ["poll loop stands still", None]
    readiness.watch(lambda: reasons.pop(0))
    assert (await get(f"{base}/healthz"))[0] == 503
    assert (await get(f"{base}/healthz"))[0] == 200


def test_a_stuck_process_is_not_ready() -> None:
    readiness = probes.Readiness()
    assert readiness.ready
    readiness.stuck("stuck")
    assert not readiness.ready


async def test_metrics_are_served_and_nothing_else(base: str) -> None:
    status, text = await get(f"{base}/metrics")
    assert status == 200
    assert "ringback_records_held" in text
    for path in ("/", "/tables", "/router", "/stats"):
        assert (await get(base + path))[0] == 404


async def test_a_port_in_use_stops_the_process_with_the_way_out(base: str) -> None:
    port = int(base.rpartition(":")[2])
    with pytest.raises(Stop, match=str(port)) as caught:
        await probes.serve("127.0.0.1", port, Metrics().registry, probes.Readiness())
    assert "RINGBACK_METRICS_PORT" in caught.value.remedy
