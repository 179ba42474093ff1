"""Rows and configurations as the tests of the reports want them."""

from __future__ import annotations

from typing import Any

from schemas.config import App, Configuration, Endpoint, Partner, Postback
from schemas.report import ReportRow

DAY = "2026-01-02"


def events(publisher: str | None = None, generation: int = 1, **more: Any) -> ReportRow:
    """Derived events by source; those that are no field of a row are counts (`payment=2`)."""
    fields = {name: more.pop(name) for name in list(more) if name in ReportRow.__struct_fields__}
    own: dict[str, Any] = {"kind": "events", "stage": "device", "day": DAY, "app_id": "game", "counts": more}
    return ReportRow(**(own | {"publisher_name": publisher, "generation": generation} | fields))


def postback(name: str = "p", event: str = "payment", partner: str = "acme", **more: Any) -> ReportRow:
    """What was decided for a postback."""
    fields = {name: more.pop(name) for name in list(more) if name in ReportRow.__struct_fields__}
    own: dict[str, Any] = {"kind": "postback", "stage": "device", "day": DAY, "app_id": "game", "counts": more}
    of = {"partner": partner, "postback_id": name, "event": event, "generation": 1}
    return ReportRow(**(own | of | fields))


def ended(name: str = "p", event: str = "payment", partner: str = "acme", **more: Any) -> ReportRow:
    """How its jobs ended."""
    return postback(name, event, partner, **({"kind": "ended", "stage": "sender", "writer": "w"} | more))


def configured(*postbacks: Postback, generation: int = 1) -> Configuration:
    """A generation with two partners, the first of which has another name."""
    app = App(id="game", project="game", platform="android", bundle_id="game", device_key=("google_aid",))
    partners = (Partner(id="acme", name="Acme", aliases=("acme_old",)), Partner(id="north", name="North"))
    return Configuration(generation=generation, sources=(), apps=(app,), partners=partners, postbacks=postbacks)


def wanted(name: str = "p", event: str = "payment", partner: str = "acme", **more: Any) -> Postback:
    """A postback."""
    endpoint = Endpoint(url="https://x.example/")
    own = {"id": name, "title": name, "app": "game", "partner": partner, "event": event, "endpoint": endpoint}
    return Postback(**(own | more))
