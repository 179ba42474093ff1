"""Whose values the macros have (contract §6): the record's, and the attribution's that the derived event goes by."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.record import TOUCH_FIELDS, Event
from streams.attribution.facts import Fact
from streams.postbacks.index import Index
from streams.templates import macros
from tests.unit.postbacks.building import AT, configuration, entry, fact, jobs_of, postback, touch

#: A value for every field of a record, each different.
TOUCH: dict[str, Any] = {name: f"touch {name}" for name in TOUCH_FIELDS if name.endswith(("name", "id"))}
TOUCH |= {name: f"touch {name}" for name in TOUCH_FIELDS if name.startswith("s_")}
TOUCH |= {
    "publisher_name": "acme_ads",
    "touch_type": "impression",
    "cost": 0.25,
    "click_timestamp": (AT - 60_000) // 1000,
}
NUMBERS = {"revenue": 9.9}
FLAGS = {"consent": True, "validated": False}


def whole(**more: Any) -> dict[str, Any]:
    """Every field of an event but those of its touch."""
    texts = {
        field.name: f"record {field.name}"
        for field in msgspec.structs.fields(Event)
        if field.name not in {*TOUCH_FIELDS, "params", "app_id"}
    }
    return texts | NUMBERS | FLAGS | {"params": {"level": 7}, "event_name": "payment"} | more


def written(macro: str, what: Fact, **more: Any) -> str:
    """What a macro of a postback becomes; `<missing>` when it has no value."""
    url = f"https://x.example/?v={{{macro}|default:<missing>|text|raw}}"
    (job,) = jobs_of(Index(configuration(postback(url=url, **more))), what)
    return "".join(str(part) for part in job.request.url).partition("?v=")[2]


def full(**more: Any) -> Fact:
    """A payment with every field, under an attribution with every field of a touch, which is its second."""
    by = msgspec.structs.replace(touch(**TOUCH), click_timestamp=AT - 60_000)
    return fact(by, number=2, **whole(**more))


MISSING = "%3Cmissing%3E"
GIVEN = [name for name, macro in macros.MACROS.items() if macro.level != "deferred"]


@pytest.mark.parametrize("macro", [*GIVEN, "params.level"])
def test_exactly_what_the_attribution_says_is_withheld_without_network_data(macro: str) -> None:
    found = macros.find(macro)
    assert found is not None
    supplied = written(macro, full())
    assert supplied != MISSING
    withheld = written(macro, full(), supply_network_data=False)
    assert withheld == (MISSING if found.level == "attribution" else supplied)


@pytest.mark.parametrize("macro", TOUCH_FIELDS)
def test_a_touch_macro_is_that_of_the_attribution_and_not_of_the_records_own_touch(macro: str) -> None:
    own = {name: "own" for name, value in TOUCH.items() if isinstance(value, str)}
    record = full(**own | {"touch_type": "click", "cost": 7.0, "click_timestamp": AT // 1000})
    assert written(macro, record) == written(macro, full())


@pytest.mark.parametrize("macro", TOUCH_FIELDS)
def test_an_organic_attribution_has_no_touch_whatever_the_record_says(macro: str) -> None:
    assert written(macro, fact(None, **whole(**TOUCH)), delivery_method="all") == MISSING


def test_an_organic_attribution_has_a_number_all_the_same() -> None:
    organic = fact(None, number=2)
    told = [written(name, organic, delivery_method="all") for name in ("attribution_number", "is_organic")]
    assert told == ["2", "true"]
    assert written("is_reattribution", organic, delivery_method="all") == "true"
    assert written("is_reattribution", fact(touch(), number=1)) == "false"


def test_the_install_is_the_devices_first_and_missing_when_none_was_seen() -> None:
    assert written("install_timestamp", fact(touch())) == "2026-01-02T03:04:03Z"
    never = Fact(entry(), "processed", derived=fact(touch()).derived)
    assert written("install_timestamp", never) == MISSING
