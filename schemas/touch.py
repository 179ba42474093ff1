"""A touch (contract §3, §4): who brought the user, as a device's state and the users topic keep it."""

from __future__ import annotations

from typing import Literal

import msgspec


class Touch(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The touch fields as they were written, in the order of `TOUCH_FIELDS`; but `click_timestamp` is milliseconds.

    It is stored: new fields go to the end, with a default.
    """

    publisher_name: str | None
    agency_name: str | None
    campaign_name: str | None
    campaign_id: str | None
    touch_type: Literal["click", "impression"] | None
    click_timestamp: int
    click_id: str | None
    s_publisher_name: str | None
    s_publisher: str | None
    s_campaign_name: str | None
    s_campaign: str | None
    s_site_name: str | None
    s_site: str | None
    s_adgroup_name: str | None
    s_adgroup: str | None
    s_ad_name: str | None
    s_ad: str | None
    s_keyword_name: str | None
    s_placement_name: str | None
    cost: float | None
