"""The configuration as it crosses the config topic (contract §2, §6): normalised, defaults filled in, secrets as
references.

Durations are milliseconds. `streams.config` makes these from YAML and has checked everything that can be checked
without a record.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Platform = Literal["ios", "android", "windows", "web"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]


class Source(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """An input topic. `mapping` gives, for a field of the contract, the (dotted) field of the record that holds it."""

    topic: str
    record: Literal["install", "event"]
    format: Literal["json"] = "json"
    rekey: bool = False
    mapping: dict[str, str] = {}
    start: Literal["earliest", "latest"] = "earliest"


class ApiKey(msgspec.Struct, kw_only=True, frozen=True):
    """A key of the inbound API; `key` is a secret reference."""

    id: str
    key: str


class App(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """An app and the windows its records are judged by."""

    id: str
    project: str
    platform: Platform
    bundle_id: str
    device_key: tuple[str, ...]
    inactivity_window: int = 30 * DAY
    install_grace: int = 60 * SECOND
    claim_window: int = 24 * HOUR
    dedup_window: int = 2 * DAY
    forget_after: int | None = None
    reattribute_to_organic: bool = True
    live_from: int | None = None
    api_keys: tuple[ApiKey, ...] = ()


class Endpoint(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Where a postback goes and what it says. `body` is text, or a mapping (list, scalar) sent as JSON with macros in
    its strings.
    """

    url: str
    method: Method = "GET"
    parameters: tuple[Parameter, ...] = ()
    headers: dict[str, str] = {}
    body: Any = None


class Parameter(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A parameter added to the query; `when_missing` says what happens when a macro in it has no value."""

    name: str
    value: str
    when_missing: Literal["empty", "drop", "skip_postback"] = "empty"


class Partner(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A partner: its names in the records, its touches' lookbacks, and how it wants to be called.

    `success_statuses` and `no_retry_statuses` are inclusive ranges. `rate_limit` is requests per second (None:
    unlimited). With `signing_secrets` (references, two while one is changed for another) requests are signed.
    """

    id: str
    name: str
    aliases: tuple[str, ...] = ()
    fields: dict[str, str] = {}
    required_fields: tuple[str, ...] = ()
    signing_secrets: tuple[str, ...] = ()
    templates: dict[str, Endpoint] = {}
    consent: Literal["not_needed", "required"] = "not_needed"
    click_lookback: int = 7 * DAY
    impression_lookback: int = 24 * HOUR
    max_in_flight: int = 100
    rate_limit: float | None = None
    timeout: int = 10 * SECOND
    success_statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    no_retry_statuses: tuple[tuple[int, int], ...] = ()
    max_age: int = 24 * HOUR


class Postback(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A postback: on which derived event which request goes to which partner. `endpoint` is its own or its partner's
    template.
    """

    id: str
    title: str
    app: str
    partner: str
    event: str
    endpoint: Endpoint
    match_event: str | None = None
    status: Literal["active", "paused", "shadow"] = "active"
    delivery_method: Literal["all", "network", "network_and_agency"] = "network"
    campaign: str | None = None
    supply_network_data: bool = True
    scope: Literal["device", "user"] = "device"
    delivery_delay: int = 0
    retry_attempts: int = 3


class Configuration(msgspec.Struct, kw_only=True, frozen=True):
    """One generation, whole: what every process works with from the moment it has read the generation record."""

    generation: int
    sources: tuple[Source, ...]
    apps: tuple[App, ...]
    partners: tuple[Partner, ...]
    postbacks: tuple[Postback, ...]


class Generation(msgspec.Struct, kw_only=True):
    """Closes a change: `counts` of each kind of record in it, so that a reader knows that it has them all."""

    generation: int
    applied_at: int
    counts: dict[str, int]
