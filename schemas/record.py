"""Input records (contract §3): an install and an in-app event, as users write them to their topics.

One flat vocabulary: the field name here is also the macro name and the column name in receipts.
Fields that are not named here are kept in `params` by the source that decodes the record.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

#: A time as users write it: RFC 3339, `YYYY-MM-DD HH:MM:SS` (UTC), or Unix time (from 10**11 on in milliseconds).
WrittenTime = str | int | float

#: The fields that tell one device from another, in no order: the order is the app's `device_key`.
IDENTIFIERS = ("ios_ifa", "ios_ifv", "os_id", "google_aid", "windows_aid", "visitor_id", "user_id")

#: The fields that tell who brought the user (contract §3, "Touch fields"), `click_timestamp` included.
TOUCH_FIELDS = (
    "publisher_name",
    "agency_name",
    "campaign_name",
    "campaign_id",
    "touch_type",
    "click_timestamp",
    "click_id",
    "s_publisher_name",
    "s_publisher",
    "s_campaign_name",
    "s_campaign",
    "s_site_name",
    "s_site",
    "s_adgroup_name",
    "s_adgroup",
    "s_ad_name",
    "s_ad",
    "s_keyword_name",
    "s_placement_name",
    "cost",
)


class Record(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """What installs and events have in common. `app_id` is required, so is one of `IDENTIFIERS`.

    The `id`, the name of an event and the identifier of the device have at most 1,000 characters.
    """

    app_id: str
    id: str | None = None
    platform: str | None = None

    ios_ifa: str | None = None
    ios_ifv: str | None = None
    os_id: str | None = None
    google_aid: str | None = None
    windows_aid: str | None = None
    visitor_id: str | None = None
    user_id: str | None = None

    country_code: str | None = None
    device_model: str | None = None
    device_brand: str | None = None
    os_version: str | None = None
    app_version: str | None = None
    language: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    consent: bool | None = None
    params: dict[str, Any] | None = None

    publisher_name: str | None = None
    agency_name: str | None = None
    campaign_name: str | None = None
    campaign_id: str | None = None
    touch_type: Literal["click", "impression"] | None = None
    click_timestamp: WrittenTime | None = None
    click_id: str | None = None
    s_publisher_name: str | None = None
    s_publisher: str | None = None
    s_campaign_name: str | None = None
    s_campaign: str | None = None
    s_site_name: str | None = None
    s_site: str | None = None
    s_adgroup_name: str | None = None
    s_adgroup: str | None = None
    s_ad_name: str | None = None
    s_ad: str | None = None
    s_keyword_name: str | None = None
    s_placement_name: str | None = None
    cost: float | None = None


class Install(Record, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A first or repeated install of an app on a device. `install_timestamp` defaults to the record's append time."""

    event_name: Literal["install"] | None = None
    install_timestamp: WrittenTime | None = None


class Event(Record, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An in-app event. `event_timestamp` defaults to the record's append time; `revenue` is in `currency` (ISO
    4217).
    """

    event_name: str
    event_timestamp: WrittenTime | None = None
    revenue: float | None = None
    currency: str | None = None
    transaction_id: str | None = None
    validated: bool | None = None
