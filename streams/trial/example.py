"""Records that make a postback fire, for who has none at hand. Pure.

The last one is the one that it fires on. All values are made up; the touch is the postback's partner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from schemas.config import DAY, MINUTE, App, Partner, Postback
from schemas.record import Event, Install
from streams.attribution import events
from streams.postbacks.index import fires_on

IDENTIFIERS = {
    "google_aid": "0f8d3a1e-8c1b-4b7e-9a53-2f6a4c1d7e90",
    "ios_ifa": "6d92078a-8246-4ba4-ae5b-76104861e7dc",
    "ios_ifv": "c7b3a1f0-5d6e-4f70-8a91-b2c3d4e5f607",
    "windows_aid": "a3b1c2d4e5f60718293a4b5c6d7e8f90",
    "os_id": "9774d56d682e549c",
    "visitor_id": "v-20260102-7731",
    "user_id": "test-user",
}
BY_PLATFORM: Mapping[str, tuple[str, ...]] = {
    "android": ("google_aid", "os_id"),
    "ios": ("ios_ifv", "ios_ifa", "os_id"),
    "windows": ("windows_aid", "os_id"),
    "web": ("visitor_id",),
}
PLACE = {
    "country_code": "DE",
    "device_model": "Pixel 9",
    "device_brand": "Google",
    "os_version": "16",
    "app_version": "2.4.0",
    "language": "de-DE",
    "ip": "203.0.113.7",
    "user_agent": "Ringback-Test/1.0",
    "consent": True,
}
TOUCH = {
    "campaign_name": "Test campaign",
    "campaign_id": "test-campaign",
    "touch_type": "click",
    "click_id": "test-click",
    "s_site_name": "Test site",
    "s_site": "test-site",
    "s_adgroup_name": "Test ad group",
    "s_adgroup": "test-adgroup",
    "s_ad_name": "Test ad",
    "s_ad": "test-ad",
    "s_keyword_name": "test keyword",
    "s_placement_name": "test placement",
    "cost": 0.35,
}
PAID = {"revenue": 9.99, "currency": "EUR", "transaction_id": "test-transaction", "validated": True}
#: What the value of a parameter `params.<name>` is.
PARAMETER = "test"


def records(
    postback: Postback, app: App, partner: Partner, now: int, macros: Iterable[str] = ()
) -> list[Install | Event]:
    """The records, the last of them at `now` (milliseconds). `macros`: those whose values are wanted, for the names of
    `params`.
    """
    row = events.parse(fires_on(postback))
    family = row.family if row is not None else "install"
    custom = fires_on(postback).partition(":")[2]
    writer = _Writer(postback, app, partner, [one.removeprefix("params.") for one in macros if one[:7] == "params."])
    returns = family in ("re_install", "re_engagement", "re_engagement_user")
    first = now - app.inactivity_window - DAY if returns else now - 2 * DAY
    if family in ("install", "new_user"):
        return [writer.first(now)]
    if family == "re_install":
        return [writer.first(first), writer.install(now)]
    if returns:
        return [writer.first(first), writer.event("visit" if app.platform == "web" else "launch", now, brought=True)]
    return [writer.first(first), writer.event(custom or family, now)]


class _Writer:
    def __init__(self, postback: Postback, app: App, partner: Partner, params: list[str]) -> None:
        named = (*BY_PLATFORM[app.platform], *app.device_key, "user_id")
        self._app = app
        self._own: dict[str, Any] = {"app_id": app.id, "platform": app.platform, **PLACE}
        self._own |= {name: IDENTIFIERS[name] for name in named}
        if params:
            self._own["params"] = dict.fromkeys(params, PARAMETER)
        self._touch: dict[str, Any] = {**TOUCH, "publisher_name": partner.id}
        if postback.campaign is not None:
            self._touch["campaign_id"] = postback.campaign
        self._before = min(MINUTE, partner.click_lookback)

    def first(self, at: int) -> Install | Event:
        """The device's first record: who brought it is known from it."""
        return self.event("visit", at, brought=True) if self._app.platform == "web" else self.install(at)

    def install(self, at: int) -> Install:
        return msgspec.convert(self._record(f"install-{at}", at, True) | {"install_timestamp": at}, Install)

    def event(self, name: str, at: int, brought: bool = False) -> Event:
        paid = PAID if name in ("payment", "custom_payment") else {}
        own = {"event_name": name, "event_timestamp": at, **paid}
        return msgspec.convert(self._record(f"{name}-{at}", at, brought) | own, Event)

    def _record(self, name: str, at: int, brought: bool) -> dict[str, Any]:
        touch = self._touch | {"click_timestamp": at - self._before} if brought else {}
        return {"id": f"test-{name}", **self._own, **touch}
