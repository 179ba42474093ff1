"""The table of every key that a configuration may have (contract §6): its kind, its default, what it means.

Validation, `export` and the reference in docs/configuration.md read this table; there is no other.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from schemas.config import DAY, HOUR, SECOND
from streams.config.kinds import (
    Body,
    Choice,
    Duration,
    EventName,
    FieldValue,
    Flag,
    Identifier,
    Rate,
    Secret,
    Statuses,
    Template,
    Text,
    Time,
    TopicName,
    Whole,
)

#: The identifiers that tell a device, by platform (contract §3). The IDFA comes and goes with consent, so it is not
#: iOS's first.
DEVICE_KEYS: dict[str, tuple[str, ...]] = {
    "android": ("google_aid", "os_id", "user_id"),
    "ios": ("ios_ifv", "ios_ifa", "os_id", "user_id"),
    "windows": ("windows_aid", "os_id", "user_id"),
    "web": ("visitor_id", "user_id"),
}


class Section(BaseModel):
    """A mapping with known keys and no others."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SourceModel(Section):
    topic: Annotated[str, TopicName()] = Field(description="The input topic; each is a source once.")
    record: Annotated[str, Choice("install", "event")] = Field(description="What its records are.")
    format: Annotated[str, Choice("json")] = Field("json", description="How its values are written.")
    rekey: Annotated[bool, Flag()] = Field(
        False,
        description="The key is not the device key, or the partition count differs: goes through an internal topic.",
    )
    mapping: dict[Annotated[str, Text()], Annotated[str, Text()]] = Field(
        {}, description="For a field of an install or event, the (dotted) place in the record where it is."
    )
    start: Annotated[str, Choice("earliest", "latest")] = Field(
        "earliest", description="Where a source that was never read begins."
    )


class ApiKeyModel(Section):
    id: Annotated[str, Text(100)] = Field(description="Names the key in logs.")
    key: Annotated[str, Secret()] = Field(description="The key itself, by reference.")


class AppModel(Section):
    id: Annotated[str, Text(without="|")] = Field(description="Equals `app_id` in the records.")
    project: Annotated[str, Text(without="|")] | None = Field(
        None, description="Apps of one project share their users. Default: the app's id."
    )
    platform: Annotated[str, Choice("ios", "android", "windows", "web")] = Field(description="Where the app runs.")
    bundle_id: Annotated[str, Text()] | None = Field(
        None, description="Package name (Android) or bundle id (iOS). Default: the app's id."
    )
    device_key: list[Annotated[str, Identifier()]] | None = Field(
        None,
        min_length=1,
        description="The first of these that a record has tells its device. Default: by platform, see below.",
    )
    inactivity_window: Annotated[int, Duration("1s", "3650d")] = Field(
        30 * DAY, description="An activity after more than this without one is a re-engagement."
    )
    install_grace: Annotated[int, Duration("0s", "7d")] = Field(
        60 * SECOND, description="How long the records of an unknown device wait for its install; 0s: not at all."
    )
    claim_window: Annotated[int, Duration("0s", "365d")] = Field(
        24 * HOUR, description="A second install record with a touch claims an organic install within this."
    )
    dedup_window: Annotated[int, Duration("0s", "365d")] = Field(
        2 * DAY, description="A record that is older than its device's newest by more than this is too late."
    )
    forget_after: Annotated[int, Duration("1d", "3650d")] | None = Field(
        None,
        description="A device without a record for longer than this is forgotten, see [state](state.md). "
        "Default: never.",
    )
    reattribute_to_organic: Annotated[bool, Flag()] = Field(
        True, description="Whether a re-engagement or re-install without a touch makes the attribution organic."
    )
    live_from: Annotated[int, Time()] | None = Field(
        None, description="Records before it build state and give no job. Default: none."
    )
    api_keys: list[ApiKeyModel] = Field([], description="Keys of the inbound API that stand for this app.")


class ParameterModel(Section):
    name: Annotated[str, Template()] = Field(description="The parameter's name.")
    value: Annotated[str, Template()] = Field(description="Its value; literal text is encoded too.")
    when_missing: Annotated[str, Choice("empty", "drop", "skip_postback")] = Field(
        "empty", description="What happens when a macro in it has no value."
    )


SECRET_HEADERS = (
    'A secret stands in them as a reference, `Authorization: "Bearer ${env:ACME_TOKEN}"`, or as `{partner.<field>}`.'
)

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


class EndpointModel(Section):
    method: Annotated[str, Choice(*METHODS)] = Field("GET", description="The HTTP method.")
    url: Annotated[str, Template()] = Field(description="Where the request goes; no macro in scheme, host or port.")
    parameters: list[ParameterModel] = Field([], description="Added to the query.")
    headers: dict[Annotated[str, Text()], Annotated[str, Template()]] = Field(
        {}, description=f"Headers of the request. {SECRET_HEADERS}"
    )
    body: Annotated[Any, Body()] = Field(
        None, description="The body of the request, see [Bodies](macros.md#bodies). Default: none."
    )


class PartnerModel(Section):
    id: Annotated[str, Text()] = Field(description="Equals `publisher_name` or `agency_name` in the records.")
    name: Annotated[str, Text()] | None = Field(None, description="For people. Default: the id.")
    aliases: list[Annotated[str, Text()]] = Field([], description="Other spellings in the records; compared exactly.")
    fields: dict[Annotated[str, Text(100)], Annotated[str, FieldValue()]] = Field(
        {}, description="What is specific to the network, for `{partner.<field>}`."
    )
    required_fields: list[Annotated[str, Text(100)]] = Field(
        [], description="Fields that a postback of this partner is refused without."
    )
    signing_secrets: list[Annotated[str, Secret()]] = Field(
        [],
        max_length=2,
        description="Requests are [signed](signatures.md) with it, by reference; with both of two, while one is "
        "changed for another.",
    )
    templates: dict[Annotated[str, EventName()], EndpointModel] = Field(
        {}, description="The partner's own endpoint by derived event; a postback without `url` takes it."
    )
    consent: Annotated[str, Choice("not_needed", "required")] = Field(
        "not_needed", description="`required`: only records with `consent: true`."
    )
    click_lookback: Annotated[int, Duration("0s", "365d")] = Field(
        7 * DAY, description="How long before the install or activity a click counts."
    )
    impression_lookback: Annotated[int, Duration("0s", "365d")] = Field(
        24 * HOUR, description="The same for an impression."
    )
    max_in_flight: Annotated[int, Whole(1, 10_000)] = Field(
        100, description="Most requests under way at once, [over all senders](limits.md)."
    )
    rate_limit: Annotated[float, Rate()] | None = Field(
        None, description="Most requests in a time, [over all senders](limits.md). Default: no limit."
    )
    timeout: Annotated[int, Duration("100ms", "2m")] = Field(
        10 * SECOND, description="For a whole request, from connecting to the last byte."
    )
    success_statuses: list[Annotated[tuple[int, int], Statuses()]] = Field(
        [(200, 299)], min_length=1, description="Answers that mean delivered."
    )
    no_retry_statuses: list[Annotated[tuple[int, int], Statuses()]] = Field(
        [], description="Answers after which there is no redelivery."
    )
    # Jobs are kept for seven days: an older one could be gone before it is found to be expired.
    max_age: Annotated[int, Duration("1s", "6d")] = Field(
        24 * HOUR, description="From the decision, looked at before each attempt; then the job is `expired`."
    )


class PostbackModel(Section):
    id: Annotated[str, Text()] = Field(
        description="Names the postback; part of every job id, so renaming it makes a new one."
    )
    title: Annotated[str, Text()] | None = Field(None, description="For people. Default: `<partner name> | <event>`.")
    app: Annotated[str, Text()] = Field(description="The id of an app.")
    partner: Annotated[str, Text()] = Field(description="The id of a partner.")
    event: Annotated[str, EventName()] = Field(description="The derived event that it fires on.")
    match_event: Annotated[str, EventName()] | None = Field(
        None, description="The derived event to fire on instead; `{event}` is then this one. Default: none."
    )
    status: Annotated[str, Choice("active", "paused", "shadow")] = Field(
        "active", description="`shadow`: decided and reported, never sent."
    )
    delivery_method: Annotated[str, Choice("all", "network", "network_and_agency")] = Field(
        "network", description="Whose events: all, the publisher's, or the publisher's and the agency's."
    )
    campaign: Annotated[str, Text()] | None = Field(
        None, description="Only this campaign (id or name). Default: every one."
    )
    supply_network_data: Annotated[bool, Flag()] = Field(
        True,
        description="`false`: touch fields, `attribution_number`, `is_organic` and `is_reattribution` are withheld.",
    )
    scope: Annotated[str, Choice("device", "user")] = Field(
        "device",
        description="`user`: the first of the user in the project, not of the device in the app; for `first_payment` "
        "and `first_custom_payment` only.",
    )
    delivery_delay: Annotated[int, Duration("0s", "10m")] = Field(
        0, description="From the decision to the first attempt."
    )
    retry_attempts: Annotated[int, Whole(0, 10)] = Field(
        3,
        description="Redeliveries after the first attempt: the first 15 to 30 s later, each further wait three times "
        "as long, at most an hour; or when a `Retry-After` says.",
    )
    method: Annotated[str, Choice(*METHODS)] = Field("GET", description="The HTTP method; with `url` only.")
    url: Annotated[str, Template()] | None = Field(
        None, description="Where the request goes. Default: the partner's template for `event`, whole."
    )
    parameters: list[ParameterModel] = Field([], description="Added to the query; with `url` only.")
    headers: dict[Annotated[str, Text()], Annotated[str, Template()]] = Field(
        {}, description=f"Headers of the request; with `url` only. {SECRET_HEADERS}"
    )
    body: Annotated[Any, Body()] = Field(
        None, description="The body of the request, see [Bodies](macros.md#bodies); with `url` only. Default: none."
    )


#: The sections of a file.
SECTIONS: dict[str, type[Section]] = {
    "sources": SourceModel,
    "apps": AppModel,
    "partners": PartnerModel,
    "postbacks": PostbackModel,
}

#: What stands for the value of a required key that is itself wrong, so that the rest of its section can be looked at.
PLACEHOLDERS = {"platform": "android", "event": "install", "record": "install", "topic": "unknown"}

#: What is read when no file has a section `sources`.
DEFAULT_SOURCES = tuple(
    SourceModel.model_validate({"topic": topic, "record": record})
    for topic, record in (("installs", "install"), ("events", "event"))
)
