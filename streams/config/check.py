"""What can only be seen across the whole configuration: names that repeat, references that lead nowhere, templates
that do not compile.

Each check is a function from the whole to its problems. A value that is wrong in itself has its own problem already,
so no check says anything that follows from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schemas.config import Endpoint
from schemas.record import Event, Install
from streams.attribution import events
from streams.config import build
from streams.config.items import Item
from streams.config.models import AppModel, EndpointModel, PartnerModel, PostbackModel, SourceModel
from streams.config.problems import Path, Problem, did_you_mean
from streams.settings import duration_text
from streams.templates.errors import TemplateErrors
from streams.templates.headers import SIGNATURE
from streams.templates.request import compile_request


@dataclass
class Whole:
    """Everything that was read. `partial`: a file could not be, so that what seems missing may stand in it."""

    sources: list[Item[SourceModel]] = field(default_factory=list)
    apps: list[Item[AppModel]] = field(default_factory=list)
    partners: list[Item[PartnerModel]] = field(default_factory=list)
    postbacks: list[Item[PostbackModel]] = field(default_factory=list)
    partial: bool = False
    reserved_topics: frozenset[str] = frozenset()

    @cached_property
    def _apps(self) -> dict[str, Item[AppModel]]:
        return {item.model.id: item for item in reversed(self.apps) if item.model and item.sound("id")}

    @cached_property
    def _partners(self) -> dict[str, Item[PartnerModel]]:
        return {item.model.id: item for item in reversed(self.partners) if item.model and item.sound("id")}

    def app(self, postback: Item[PostbackModel]) -> Item[AppModel] | None:
        """The app that a postback names; None when there is none, or it names none."""
        return self._apps.get(postback.model.app) if postback.model and postback.sound("app") else None

    def partner(self, postback: Item[PostbackModel]) -> Item[PartnerModel] | None:
        """The partner that a postback names; None when there is none, or it names none."""
        return self._partners.get(postback.model.partner) if postback.model and postback.sound("partner") else None


def problems(whole: Whole) -> Iterator[Problem]:
    """Every problem that shows only across the whole."""
    for check in CHECKS:
        yield from check(whole)


def unique_names(whole: Whole) -> Iterator[Problem]:
    sections: tuple[tuple[Iterable[Item[Any]], str], ...] = (
        (whole.sources, "topic"), (whole.apps, "id"), (whole.partners, "id"), (whole.postbacks, "id"),
    )  # fmt: skip
    for items, key in sections:
        yield from _repeated(
            (item, (key,), getattr(item.model, key)) for item in items if item.model and item.sound(key)
        )
    for app in whole.apps:
        if app.model and app.sound("api_keys"):
            yield from _repeated((app, ("api_keys", n, "id"), key.id) for n, key in enumerate(app.model.api_keys))
        if app.model and app.model.device_key and app.sound("device_key"):
            yield from _repeated((app, ("device_key", n), name) for n, name in enumerate(app.model.device_key))


def source_topics(whole: Whole) -> Iterator[Problem]:
    for source in whole.sources:
        if source.model and source.sound("topic") and source.model.topic in whole.reserved_topics:
            yield source.problem(
                ("topic",), f"{source.model.topic} is a topic of Ringback's own", "name an input topic"
            )


def source_mappings(whole: Whole) -> Iterator[Problem]:
    for source in whole.sources:
        if source.model is None or not source.sound("mapping", "record"):
            continue
        known = (Install if source.model.record == "install" else Event).__struct_fields__
        for name in source.model.mapping:
            if name not in known:
                message = f"{name} is no field of {'an install' if source.model.record == 'install' else 'an event'}"
                yield source.problem(("mapping", name), message, did_you_mean(name, known))


def partner_names(whole: Whole) -> Iterator[Problem]:
    """A publisher's or agency's name leads to one partner. (That ids repeat is told by `unique_names`.)"""
    ids = {item.model.id: item for item in whole.partners if item.model and item.sound("id")}
    seen: dict[str, Item[PartnerModel]] = dict(ids)
    for item in whole.partners:
        if item.model is None or not item.sound("aliases"):
            continue
        for number, alias in enumerate(item.model.aliases):
            owner = seen.setdefault(alias, item)
            repeated = owner is item and (alias == item.model.id or alias in item.model.aliases[:number])
            if owner is not item or repeated:
                of = owner.model.id if owner.model else "another partner"
                message = f"{alias} is a name of {of} already" if not repeated else f"{alias} is named already"
                yield item.problem(("aliases", number), message)


def postback_references(whole: Whole) -> Iterator[Problem]:
    if whole.partial:
        return
    for item in whole.postbacks:
        if item.model is None:
            continue
        for key, target, items in (
            ("app", whole.app(item), whole.apps),
            ("partner", whole.partner(item), whole.partners),
        ):
            if target is None and item.sound(key):
                name = getattr(item.model, key)
                known = [each.model.id for each in items if each.model and each.sound("id")]
                # An item whose own id is wrong may be the one that is meant.
                if len(known) == len(items):
                    yield item.problem((key,), f"there is no {key} {name}", did_you_mean(name, known))


def postback_events(whole: Whole) -> Iterator[Problem]:
    """The app's platform may use the event, the one that is reported as well as the one that it fires on."""
    for item in whole.postbacks:
        app = whole.app(item)
        if item.model is None or app is None or app.model is None or not app.sound("platform"):
            continue
        for key in ("event", "match_event"):
            name = getattr(item.model, key)
            row = events.parse(name) if name and item.sound(key) else None
            if row is not None and app.model.platform not in row.platforms:
                allowed = ", ".join(each.name for each in events.TABLE if app.model.platform in each.platforms)
                message = f"{name} is not for apps of the platform {app.model.platform}"
                yield item.problem((key,), message, f"it may use {allowed}")


def postback_scopes(whole: Whole) -> Iterator[Problem]:
    """`scope` is one that the event it fires on has; where it is left out, the event decides."""
    for item in whole.postbacks:
        if item.model is None or "scope" not in item.model.model_fields_set:
            continue
        if not item.sound("event", "match_event", "scope"):
            continue
        fires_on = item.model.match_event or item.model.event
        row = events.parse(fires_on)
        if row is None or item.model.scope in row.scopes:
            continue
        message = f"{item.model.scope} is not possible for {fires_on}"
        if row.scopes == ("user",):
            hint = f"{fires_on} is of the user always: leave it out"
        else:
            hint = f"it is for {' and '.join(each.name for each in events.TABLE if len(each.scopes) > 1)} only"
        yield item.problem(("scope",), message, hint)


def required_fields(whole: Whole) -> Iterator[Problem]:
    """A partner that has postbacks has the fields that it says they need."""
    used = {item.model.partner for item in whole.postbacks if item.model and item.sound("partner")}
    for item in whole.partners:
        if item.model is None or item.model.id not in used or not item.sound("id", "fields", "required_fields"):
            continue
        for number, name in enumerate(item.model.required_fields):
            if not item.model.fields.get(name):
                hint = did_you_mean(name, item.model.fields) or f"add {name} to the partner's fields"
                message = f"postbacks of {item.model.id} need the field {name}, which has no value"
                yield item.problem(("required_fields", number), message, hint)


def signed_headers(whole: Whole) -> Iterator[Problem]:
    """A partner whose requests are signed gets the headers of the signature from the sender alone."""
    for item in whole.partners:
        if item.model and item.model.signing_secrets and item.sound("templates"):
            for event, template in item.model.templates.items():
                yield from _of_signature(item, template.headers, ("templates", event, "headers"))
    for postback in whole.postbacks:
        partner = whole.partner(postback)
        signs = partner is not None and partner.model is not None and partner.model.signing_secrets
        if signs and postback.model and postback.sound("headers"):
            yield from _of_signature(postback, postback.model.headers, ("headers",))


def _of_signature(item: Item[Any], names: Iterable[str], path: Path) -> Iterator[Problem]:
    for name in names:
        if name.lower() in SIGNATURE:
            message = f"the header {name} is set by the sender: the partner has signing_secrets"
            yield item.problem((*path, name), message, "remove it here")


def postback_endpoints(whole: Whole) -> Iterator[Problem]:
    """A postback says where it goes, or its partner has a template for its event."""
    for item in whole.postbacks:
        model = item.model
        if model is None or not item.sound("url") or model.url is not None:
            continue
        for key in ("method", "parameters", "headers", "body"):
            if getattr(model, key) != PostbackModel.model_fields[key].default and item.sound(key):
                hint = "the partner's template is taken whole; give a url, or remove this"
                yield item.problem((key,), "stands without a url", hint)
        partner = whole.partner(item)
        if partner is None or partner.model is None or not partner.sound("templates") or not item.sound("event"):
            continue
        if model.event not in partner.model.templates and partner.sound(f"templates.{model.event}"):
            message = f"is missing, and {model.partner} has no template for {model.event}"
            yield item.problem(("url",), message, f"give a url, or add {model.event} to the partner's templates")


def delays(whole: Whole) -> Iterator[Problem]:
    """A job is sent before it expires."""
    for item in whole.postbacks:
        partner = whole.partner(item)
        if item.model is None or partner is None or partner.model is None or not partner.sound("max_age"):
            continue
        if item.sound("delivery_delay") and item.model.delivery_delay >= partner.model.max_age:
            delay, age = duration_text(item.model.delivery_delay), duration_text(partner.model.max_age)
            message = f"{delay} is not shorter than the max_age of {partner.model.id}, {age}: every job would expire"
            yield item.problem(("delivery_delay",), message)


def forgetting(whole: Whole) -> Iterator[Problem]:
    """Nothing is forgotten before every window that is counted from it has passed."""
    lookbacks = [
        (getattr(partner.model, key), f"the {key} of {partner.model.id}")
        for partner in whole.partners
        for key in _LOOKBACKS
        if partner.model and partner.sound("id", key)
    ]
    defaults = [(PartnerModel.model_fields[key].default, f"the {key} of unknown publishers") for key in _LOOKBACKS]
    for app in whole.apps:
        if app.model is None or app.model.forget_after is None or not app.sound("forget_after"):
            continue
        own = [(getattr(app.model, key), f"the app's {key}") for key in _WINDOWS if app.sound(key)]
        longest, name = max([*own, *lookbacks, *defaults])
        if app.model.forget_after <= longest:
            after = duration_text(app.model.forget_after)
            message = f"{after} is not longer than {name}, {duration_text(longest)}"
            hint = f"devices would be forgotten while it can still matter: choose more than {duration_text(longest)}"
            yield app.problem(("forget_after",), message, hint)


_LOOKBACKS = ("click_lookback", "impression_lookback")
_WINDOWS = ("inactivity_window", "dedup_window", "claim_window", "install_grace")


def templates(whole: Whole) -> Iterator[Problem]:
    """Every endpoint compiles: the partners' templates, and the postbacks' own."""
    for partner in whole.partners:
        if partner.model and partner.sound("templates"):
            for event, endpoint in partner.model.templates.items():
                yield from _compile(partner, ("templates", event), endpoint, _fields(partner))
    for postback in whole.postbacks:
        if postback.model and postback.model.url is not None and postback.sound("url", "method"):
            yield from _compile(postback, (), postback.model, _fields(whole.partner(postback)))


def _compile(
    item: Item[Any], path: Path, model: EndpointModel | PostbackModel, fields: dict[str, str]
) -> Iterator[Problem]:
    endpoint: Endpoint = build.endpoint_of(model)
    try:
        compile_request(endpoint, fields)
    except TemplateErrors as errors:
        for error in errors.errors:
            yield item.problem((*path, *error.path), error.message, error.hint, error.column)


class _AnyField(dict[str, str]):
    """The fields of a partner that is not known: each name is one."""

    def get(self, key: str, default: Any = None) -> str:
        return "?"

    def __getitem__(self, key: str) -> str:
        return "?"

    def __contains__(self, key: object) -> bool:
        return True


def _fields(partner: Item[PartnerModel] | None) -> dict[str, str]:
    if partner is None or partner.model is None or not partner.sound("fields"):
        return _AnyField()
    return partner.model.fields


def _repeated(named: Iterable[tuple[Item[Any], Path, str]]) -> Iterator[Problem]:
    first: dict[str, tuple[Item[Any], Path]] = {}
    for item, path, name in named:
        owner, at = first.setdefault(name, (item, path))
        if owner is not item or at != path:
            yield item.problem(path, f"{name} again", f"it is defined at {owner.place(*at)} already")


CHECKS: tuple[Callable[[Whole], Iterator[Problem]], ...] = (
    unique_names,
    source_topics,
    source_mappings,
    partner_names,
    postback_references,
    postback_events,
    postback_scopes,
    required_fields,
    signed_headers,
    postback_endpoints,
    delays,
    forgetting,
    templates,
)
