"""Contract §4: which touches are eligible."""

from __future__ import annotations

from schemas.config import Partner
from schemas.record import TOUCH_FIELDS
from schemas.touch import Touch
from streams.attribution.touches import Lookbacks
from tests.unit.attribution.timeline import DAY, HOUR, MINUTE, START, Timeline


def by(publisher: str, at: int = 10 * DAY, **fields: object) -> str:
    """The source of an install."""
    device = Timeline()
    device.install(at, publisher, **fields)
    return device.sources()[0]


def test_no_touch_is_organic() -> None:
    assert by("") == "organic"


def test_a_touch_needs_a_publisher_or_an_agency() -> None:
    assert by("", campaign_name="brand", click_id="c", click=10 * DAY) == "organic"
    assert by("", agency_name="initech") == "initech"
    assert by("", publisher_name="", agency_name="") == "organic"


def test_a_click_counts_7_days_back_by_default() -> None:
    assert by("acme", click=3 * DAY) == "acme"
    assert by("acme", click=3 * DAY - 1) == "organic"


def test_an_impression_counts_24_hours_back_by_default() -> None:
    assert by("acme", click=9 * DAY, touch_type="impression") == "acme"
    assert by("acme", click=9 * DAY - 1, touch_type="impression") == "organic"


def test_the_lookback_is_the_publishers() -> None:
    for name in ("quick", "q"):
        assert by(name, click=10 * DAY - HOUR) == name
        assert by(name, click=10 * DAY - HOUR - 1) == "organic"
        assert by(name, click=10 * DAY - MINUTE, touch_type="impression") == name
        assert by(name, click=10 * DAY - MINUTE - 1, touch_type="impression") == "organic"


def test_the_agency_does_not_set_the_lookback() -> None:
    assert by("acme/quick", click=3 * DAY) == "acme/quick"
    assert by("/quick", click=3 * DAY) == "quick"


def test_names_are_compared_exactly() -> None:
    assert by("Quick", click=3 * DAY) == "Quick"


def test_a_touch_may_lie_5_minutes_after_the_record() -> None:
    assert by("acme", click=10 * DAY + 5 * MINUTE) == "acme"
    assert by("acme", click=10 * DAY + 5 * MINUTE + 1) == "organic"


def test_the_touch_is_by_default_at_the_records_own_time() -> None:
    device = Timeline()
    device.install(7, "acme")
    touch = device.known.attributions[0].touch
    assert touch is not None
    assert touch.click_timestamp == START + 7


def test_so_is_an_impression() -> None:
    device = Timeline()
    device.install(7, "acme", touch_type="impression")
    touch = device.known.attributions[0].touch
    assert touch is not None
    assert (touch.touch_type, touch.click_timestamp) == ("impression", START + 7)


def test_a_touch_is_a_click_unless_it_says_otherwise() -> None:
    for kind, expected in ((None, "acme"), ("click", "acme"), ("impression", "organic")):
        assert by("acme", click=8 * DAY, touch_type=kind) == expected


def test_the_lookback_of_a_re_engagement_counts_from_the_activity() -> None:
    for click, expected in ((33 * DAY, "acme"), (33 * DAY - 1, "organic")):
        device = Timeline(install_grace=0)
        device.install(0)
        device.event("launch", 40 * DAY, "acme", click=click)
        assert device.sources() == ["organic", expected]


def test_the_attribution_keeps_the_touch_as_it_was_written() -> None:
    device = Timeline()
    written = {name: name.upper() for name in TOUCH_FIELDS if name not in ("touch_type", "click_timestamp", "cost")}
    device.install(10, touch_type="impression", click=3, cost=0.25, **written)
    touch = device.known.attributions[0].touch
    assert touch is not None
    kept = {name: getattr(touch, name) for name in TOUCH_FIELDS}
    assert kept == {**written, "touch_type": "impression", "click_timestamp": START + 3, "cost": 0.25}


def test_a_touch_has_the_fields_of_a_record_in_their_order() -> None:
    assert Touch.__struct_fields__ == TOUCH_FIELDS


def test_lookbacks_are_found_by_id_and_alias() -> None:
    partner = Partner(id="acme", name="Acme", aliases=("a", "b"), click_lookback=1, impression_lookback=2)
    assert Lookbacks.of([partner]).by_name == {"acme": (1, 2), "a": (1, 2), "b": (1, 2)}
