"""The real broker for the tests of this folder, and the wire for those on sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from streams.delivery.wire import HttpWire
from tests.support.fixtures import *  # noqa: F403
from tests.support.talking import WAYS, Way, a_wire, named


@pytest.fixture
async def wire() -> AsyncIterator[HttpWire]:
    """Closed when the test is over."""
    async with a_wire() as made:
        yield made


@pytest.fixture(params=WAYS, ids=named)
def way(request: pytest.FixtureRequest) -> Way:
    """Each test that takes it is run with all schemes and methods."""
    assert isinstance(request.param, Way)
    return request.param
