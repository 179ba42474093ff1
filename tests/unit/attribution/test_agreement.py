"""Both pipelines and the plain reference tell the same story of random worlds, and decide the same jobs.

`python -m tests.unit.attribution.agreement` does so with a million records.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.unit.attribution.agreement import FORGETS, compare


@pytest.mark.parametrize("part", range(5))
def test_the_pipelines_say_what_the_reference_says(part: int) -> None:
    for seed in range(part * 6, part * 6 + 6):
        compare(-1 - seed, 400)


@pytest.mark.parametrize("part", range(2))
def test_also_when_what_was_decided_is_lost_again_and_again_before_it_is_committed(part: int) -> None:
    for seed in range(part * 5, part * 5 + 5):
        compare(10_000 + seed, 300, crash=0.3)


@pytest.mark.parametrize("part", range(3))
def test_also_when_devices_and_users_are_forgotten_and_their_rows_deleted_at_any_moment(part: int) -> None:
    met: Counter[str] = Counter()
    for seed in range(part * 8, part * 8 + 8):
        met += compare(30_000 + seed, 200, crash=0.3 if seed % 3 == 0 else 0.0, forgets=FORGETS)
    assert met["devices swept"] > 30
    assert met["users swept"] > 3


def test_the_worlds_meet_every_case() -> None:
    met: Counter[str] = Counter()
    for seed in range(12):
        met += compare(20_000 + seed, 400)
    assert met.keys() >= {
        *(f"device: {result}" for result in ("processed", "held", "duplicate", "too_late", "reinstall", "late")),
        *("user: processed", "user: late", "users of several devices"),
        *("install", "install (claim)", "re_install", "re_install (claim)", "re_engagement", "app_open", "session"),
        *("new_user", "re_engagement_user"),
        *(f"jobs of session at {method}" for method in ("all", "network", "network_and_agency")),
        *(
            form.format(family)
            for family in ("payment", "custom_payment", "registration", "authorization", "event")
            for form in ("{}", "{}_ca", "first_{}", "first_{}_ca")
        ),
    }
