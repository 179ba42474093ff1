"""The one table of macros (contract §6). Validation, rendering and the docs read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: `any` is a value whose kind only the record knows (`params.<name>`).
Kind = Literal["text", "number", "bool", "time", "object", "any"]

#: The kinds in words.
KINDS: dict[Kind, str] = {
    "text": "text",
    "number": "a number",
    "bool": "true or false",
    "time": "a time",
    "object": "an object",
    "any": "any value",
}

#: Where the value comes from. `attribution` values are withheld by `supply_network_data: false`; `deferred` ones the
#: sender knows.
Level = Literal["record", "attribution", "job", "partner", "deferred"]


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro's name, the kind of its value (a time is an integer of milliseconds), where it comes from, and its
    documentation.
    """

    name: str
    kind: Kind
    level: Level
    doc: str


def _table(*rows: tuple[str, Kind, Level, str]) -> dict[str, Macro]:
    return {name: Macro(name, kind, level, doc) for name, kind, level, doc in rows}


MACROS: dict[str, Macro] = _table(
    # The record that the derived event comes from.
    ("app_id", "text", "record", "the app's id"),
    ("id", "text", "record", "the record's id, given or derived"),
    ("platform", "text", "record", "ios, android, windows, web or other"),
    ("ios_ifa", "text", "record", "Apple's advertising identifier (IDFA), lower case"),
    ("ios_ifv", "text", "record", "Apple's identifier for vendors (IDFV), lower case"),
    ("os_id", "text", "record", "the operating system's device id, such as the Android id"),
    ("google_aid", "text", "record", "Google's advertising id (GAID), lower case"),
    ("windows_aid", "text", "record", "the Windows advertising id, lower case"),
    ("visitor_id", "text", "record", "the visitor id of a web site"),
    ("user_id", "text", "record", "the user id that the app gave"),
    ("country_code", "text", "record", "country, ISO 3166-1 alpha-2"),
    ("device_model", "text", "record", "the device's model"),
    ("device_brand", "text", "record", "the device's brand"),
    ("os_version", "text", "record", "version of the operating system"),
    ("app_version", "text", "record", "version of the app"),
    ("language", "text", "record", "language of the device or app"),
    ("ip", "text", "record", "the device's address"),
    ("user_agent", "text", "record", "the device's user agent"),
    ("consent", "bool", "record", "whether the user consented"),
    ("params", "object", "record", "all fields of the record that Ringback has no name for, as JSON"),
    ("event_name", "text", "record", "the record's event name; `install` for an install"),
    ("event_timestamp", "time", "record", "the record's own time"),
    ("install_timestamp", "time", "record", "the time of the device's first install"),
    ("revenue", "number", "record", "the event's revenue, in `currency`"),
    ("currency", "text", "record", "currency, ISO 4217"),
    ("transaction_id", "text", "record", "the payment's transaction id"),
    ("validated", "bool", "record", "whether the payment was validated"),
    # The attribution that the derived event goes by.
    ("publisher_name", "text", "attribution", "the partner that brought the user"),
    ("agency_name", "text", "attribution", "the agency that brought the user"),
    ("campaign_name", "text", "attribution", "the campaign's name"),
    ("campaign_id", "text", "attribution", "the campaign's id"),
    ("touch_type", "text", "attribution", "click or impression; click when the record does not say"),
    ("click_timestamp", "time", "attribution", "the time of the click or impression"),
    ("click_id", "text", "attribution", "the partner's own id of the click"),
    ("s_publisher_name", "text", "attribution", "the sub-publisher's name"),
    ("s_publisher", "text", "attribution", "the sub-publisher's id"),
    ("s_campaign_name", "text", "attribution", "the sub-campaign's name"),
    ("s_campaign", "text", "attribution", "the sub-campaign's id"),
    ("s_site_name", "text", "attribution", "the site's name"),
    ("s_site", "text", "attribution", "the site's id"),
    ("s_adgroup_name", "text", "attribution", "the ad group's name"),
    ("s_adgroup", "text", "attribution", "the ad group's id"),
    ("s_ad_name", "text", "attribution", "the ad's name"),
    ("s_ad", "text", "attribution", "the ad's id"),
    ("s_keyword_name", "text", "attribution", "the keyword"),
    ("s_placement_name", "text", "attribution", "the placement's name"),
    ("cost", "number", "attribution", "cost of the touch, USD"),
    ("attribution_number", "number", "attribution", "the number of the attribution on this device: 1, 2, 3 …"),
    ("is_organic", "bool", "attribution", "whether nobody brought the user"),
    ("is_reattribution", "bool", "attribution", "whether the attribution is a later one than the first"),
    # The job.
    ("event", "text", "job", "the derived event (the `match_event` where there is one)"),
    ("event_id", "text", "job", "the id of the record that the event comes from"),
    ("job_id", "text", "job", "the job's id; the same input gives the same id, for ever"),
    ("postback_id", "text", "job", "the postback's id"),
    ("partner_id", "text", "job", "the partner's id"),
    ("bundle_id", "text", "job", "the app's package name or bundle id"),
    ("device_id", "text", "job", "the identifier that the device is known by, without the app"),
    # What only the sender knows.
    ("attempt", "number", "deferred", "which attempt this request is, from 1"),
    ("now", "time", "deferred", "the moment of sending"),
)

#: Macros with a name of the user's own behind a dot.
FAMILIES: dict[str, Macro] = _table(
    (
        "params",
        "any",
        "record",
        "a field of the record that Ringback has no name for; dots go into objects: {params.level}",
    ),
    ("partner", "text", "partner", "one of the partner's `fields`: {partner.app_key}"),
)


def find(name: str) -> Macro | None:
    """The macro of this name, a member of a family included; None when there is none."""
    macro = MACROS.get(name)
    if macro is None:
        family, dot, member = name.partition(".")
        if dot and member and member == member.strip():
            macro = FAMILIES.get(family)
    return macro
