"""A configuration as YAML that says the same again, whatever equals its default left out. Pure."""

from __future__ import annotations

import io
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from schemas.config import App, Configuration, Partner, Postback, Source
from streams.config import build, shapes
from streams.config.models import DEVICE_KEYS, SECTIONS
from streams.config.topic import KINDS
from streams.postbacks.index import fires_on, scope_on

#: Breaks of lines that YAML 1.1 knows beside the usual one: only between double quotes they are written as escapes.
BREAKS = frozenset("\x85\u2028\u2029")

FILES = {section: f"{section}.yaml" for section in SECTIONS}


class _Representer(SafeRepresenter):
    """Texts that would come back with a space for a break of lines stand in double quotes."""


def _text(representer: SafeRepresenter, text: str) -> ScalarNode:
    return representer.represent_scalar("tag:yaml.org,2002:str", text, '"' if BREAKS.intersection(text) else None)


_Representer.add_representer(str, _text)


def writer() -> YAML:
    """Writes plain values so that they are read as what they are, one key to a line."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    # A text that were folded at a width would lose the places of its mistakes.
    yaml.width = 10_000
    return yaml


def documents(configuration: Configuration) -> dict[str, str]:
    """A YAML document for each section."""
    yaml = writer()
    texts = {}
    for kind in KINDS.values():
        stream = io.StringIO()
        found = [written(item, configuration) for item in getattr(configuration, kind.section)]
        yaml.dump({kind.section: found}, stream)
        texts[kind.section] = stream.getvalue()
    return texts


def written(item: Source | App | Partner | Postback, configuration: Configuration) -> dict[str, Any]:
    """An item as it stands in YAML."""
    values: dict[str, Any] = msgspec.to_builtins(item)
    if isinstance(item, Source):
        return _write("sources", values)
    if isinstance(item, App):
        return _write("apps", values, project=item.id, bundle_id=item.id, device_key=DEVICE_KEYS[item.platform])
    if isinstance(item, Partner):
        return _write("partners", values, name=item.id)
    partner = next(each for each in configuration.partners if each.id == item.partner)
    if partner.templates.get(item.event) != item.endpoint:
        values |= values["endpoint"]
    return _write(
        "postbacks",
        values,
        title=build.default_title(partner.name, item.event),
        scope=scope_on(fires_on(item)),
    )


def _write(section: str, values: dict[str, Any], **defaults: object) -> dict[str, Any]:
    """`defaults` are those that depend on the item; the others are the table's."""
    model = SECTIONS[section]
    written = shapes.write(model, {key: value for key, value in values.items() if value != defaults.get(key)})
    return {key: value for key, value in written.items() if value != shapes.default(model, key)}
