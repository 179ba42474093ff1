"""Contract §6, "Any record field": each stands in a request as the record, or the attribution's touch, has it."""

from __future__ import annotations

import msgspec
import pytest

from schemas.record import IDENTIFIERS, TOUCH_FIELDS
from streams.postbacks.index import Index
from tests.unit.postbacks.building import configuration, fact, jobs_of, postback, touch

TEXTS = ("device_model", "device_brand", "os_version", "app_version", "language", "ip", "user_agent", "country_code")
RECORD = (*IDENTIFIERS, *TEXTS, "transaction_id", "currency")
TOUCH = tuple(name for name in TOUCH_FIELDS if name not in ("touch_type", "click_timestamp", "cost"))


@pytest.mark.parametrize("name", RECORD)
def test_a_field_of_the_record(name: str) -> None:
    index = Index(configuration(postback(url="https://x.example/?v={" + name + "}", delivery_method="all")))
    (job,) = jobs_of(index, fact(touch(), **{name: f"of-{name}"}))
    assert job.request.url == (f"https://x.example/?v=of-{name}",)


@pytest.mark.parametrize("name", TOUCH)
def test_a_field_of_the_touch(name: str) -> None:
    by = msgspec.structs.replace(touch(), **{name: f"of-{name}"})
    index = Index(configuration(postback(url="https://x.example/?v={" + name + "}", delivery_method="all")))
    (job,) = jobs_of(index, fact(by))
    assert job.request.url == (f"https://x.example/?v=of-{name}",)


@pytest.mark.parametrize(("macro", "told"), [("{id}", "e-1"), ("{event_id}", "e-1"), ("{currency|lower}", "eur")])
def test_names_and_letters(macro: str, told: str) -> None:
    index = Index(configuration(postback(url="https://x.example/?v=" + macro, delivery_method="all")))
    (job,) = jobs_of(index, fact(touch(), currency="EUR"))
    assert job.request.url == (f"https://x.example/?v={told}",)


def test_the_jobs_own_id() -> None:
    index = Index(configuration(postback(url="https://x.example/?v={job_id}", delivery_method="all")))
    (job,) = jobs_of(index, fact(touch()))
    assert job.request.url == (f"https://x.example/?v={job.job_id}",)
