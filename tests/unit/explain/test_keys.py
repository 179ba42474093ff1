"""What a device key that finds nothing may have been meant for."""

from __future__ import annotations

import pytest

from schemas.config import App
from streams.explain.keys import normalised

APPS = (
    App(id="game", project="shop", platform="android", bundle_id="game", device_key=("google_aid", "os_id")),
    App(id="web", project="shop", platform="web", bundle_id="web", device_key=("visitor_id", "user_id")),
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("game|ABC-Def", "game|abc-def"),
        ("game|abc-def", None),
        ("web|ABC", None),
        ("gone|ABC", None),
        ("game|A|B", "game|a|b"),
    ],
)
def test_identifiers_of_a_kind_that_is_lower_cased_are_found_by_capitals(written: str, meant: str | None) -> None:
    assert normalised(written, APPS) == meant
