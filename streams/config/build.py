"""From what was validated to what crosses the config topic: defaults that depend on other keys are filled in here.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from schemas.config import App, Configuration, Endpoint, Partner, Postback, Source
from streams.config.models import (
    DEVICE_KEYS,
    AppModel,
    EndpointModel,
    PartnerModel,
    PostbackModel,
    SourceModel,
)
from streams.postbacks.index import scope_of


def configuration(
    sources: Iterable[SourceModel],
    apps: Iterable[AppModel],
    partners: Iterable[PartnerModel],
    postbacks: Iterable[PostbackModel],
) -> Configuration:
    """The whole, as generation 0. Everything has been checked: a postback has an endpoint, its partner exists."""
    built = {partner.id: partner_of(partner) for partner in partners}
    return Configuration(
        generation=0,
        sources=tuple(msgspec.convert(source.model_dump(), Source) for source in sources),
        apps=tuple(app_of(app) for app in apps),
        partners=tuple(built.values()),
        postbacks=tuple(postback_of(postback, built[postback.partner]) for postback in postbacks),
    )


def app_of(app: AppModel) -> App:
    """An app with its project, bundle id and device key."""
    values = app.model_dump()
    values["project"] = app.project or app.id
    values["bundle_id"] = app.bundle_id or app.id
    values["device_key"] = app.device_key or DEVICE_KEYS[app.platform]
    return msgspec.convert(values, App)


def partner_of(partner: PartnerModel) -> Partner:
    """A partner with its name and templates."""
    values = partner.model_dump()
    values["name"] = partner.name or partner.id
    return msgspec.convert(values, Partner)


def postback_of(postback: PostbackModel, partner: Partner) -> Postback:
    """A postback with its title, endpoint and scope."""
    values: dict[str, Any] = postback.model_dump(exclude=set(EndpointModel.model_fields))
    values["title"] = postback.title or default_title(partner.name, postback.event)
    values["endpoint"] = endpoint_of(postback) if postback.url is not None else partner.templates[postback.event]
    built = msgspec.convert(values, Postback, from_attributes=True)
    return msgspec.structs.replace(built, scope=scope_of(built))


def endpoint_of(model: EndpointModel | PostbackModel) -> Endpoint:
    """The endpoint that a model with a `url` says."""
    return msgspec.convert(model.model_dump(include=set(EndpointModel.model_fields)), Endpoint)


def default_title(partner_name: str, event: str) -> str:
    """A postback's title when it has none."""
    return f"{partner_name} | {event}"
