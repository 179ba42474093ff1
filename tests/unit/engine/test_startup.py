"""What a worker waits for before it begins."""

from __future__ import annotations

import pytest

from streams.engine import startup
from streams.engine.recovery import Abandoned
from streams.settings import Settings


def test_waiting_for_the_brokers_ends_when_the_worker_is_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "ASK_S", 0.05)
    told: list[str] = []

    def tell(reason: str) -> None:
        told.append(reason)
        assert len(told) < 10, "it goes on asking"

    with pytest.raises(Abandoned):
        startup.wait_for_kafka(Settings(bootstrap_servers="127.0.0.1:1"), lambda: len(told) == 2, tell)
    assert len(told) == 2
