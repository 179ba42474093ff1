"""One item of a section (an app, a postback …), validated alone: its mistakes, and as much of it as can be looked at
further.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streams.config import nodes
from streams.config.kinds import WRONG
from streams.config.models import PLACEHOLDERS, Section
from streams.config.problems import Path, Place, Problem, did_you_mean

M = TypeVar("M", bound=Section)

#: pydantic's words for what we leave to it, in ours.
SHAPES = {
    "list_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "too_short": "is empty, expected at least one",
    "too_long": "has too many entries, expected at most two",
}


@dataclass(eq=False)
class Item(Generic[M]):
    """An item of a section, where it stands, and what it says.

    A key that is itself wrong is in `broken`, and `model` has its default or a placeholder in its place: so one
    mistake hides no other. `model` is None when there is nothing to look at.
    """

    node: nodes.Node
    path: Path
    model: M | None = None
    broken: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def place(self, *path: str | int, column: int | None = None) -> Place:
        """Where the value at `path` within the item stands, or what is nearest to it."""
        return nodes.place_of(self.node, path, column)

    def problem(self, path: Path, message: str, hint: str | None = None, column: int | None = None) -> Problem:
        """A mistake at `path` within the item."""
        return Problem(self.place(*path, column=column), (*self.path, *path), message, hint)

    def sound(self, *keys: str) -> bool:
        """Whether none of these keys is wrong in itself."""
        return not self.broken.intersection(keys)


def validate(model: type[M], node: nodes.Node, path: Path) -> Item[M]:
    """The item that stands at `path`, with everything that is wrong with it alone."""
    item: Item[M] = Item(node, path)
    raw = nodes.plain(node)
    try:
        item.model = model.model_validate(raw)
        return item
    except ValidationError as error:
        details = error.errors(include_url=False)
    item.problems = [_problem(model, item, detail) for detail in details]
    if isinstance(raw, dict):
        item.broken = {_broken_key(detail["loc"]) for detail in details if detail["loc"]}
        item.model = _repaired(model, raw, item.broken)
    return item


def _broken_key(path: Path) -> str:
    """The key that has to go: a partner's templates are many, so only the one that is wrong."""
    return f"templates.{path[1]}" if path[0] == "templates" and len(path) > 1 else str(path[0])


def _repaired(model: type[M], raw: dict[str, nodes.Plain], broken: set[str]) -> M | None:
    rest = {key: value for key, value in raw.items() if key not in broken}
    if isinstance(templates := rest.get("templates"), dict):
        rest["templates"] = {event: value for event, value in templates.items() if f"templates.{event}" not in broken}
    for key in broken:
        known = model.model_fields.get(key)
        if known is not None and known.is_required():
            rest[key] = PLACEHOLDERS.get(key, "?")
    try:
        return model.model_validate(rest)
    except ValidationError:
        return None


def _problem(model: type[Section], item: Item[Any], detail: ErrorDetails) -> Problem:
    kind, path = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        near = did_you_mean(path[-1], known) or f"the keys are {', '.join(known)}"
        return Problem(nodes.key_place_of(item.node, path), (*item.path, *path), "unknown key", near)
    if kind == "missing":
        return item.problem(path, "is missing")
    message = SHAPES.get(kind, detail["msg"])
    hint = cast("str | None", detail["ctx"].get("hint")) if kind == WRONG else None
    if path and path[-1] == "[key]":
        path = path[:-1]
        return Problem(nodes.key_place_of(item.node, path), (*item.path, *path), message, hint)
    return item.problem(path, message, hint)


def _keys_at(model: type[Section], path: Path) -> list[str]:
    """The keys that may stand in the mapping at `path`."""
    for step in path:
        known = model.model_fields.get(step) if isinstance(step, str) else None
        if known is not None:
            model = _inner(known.annotation) or model
    return list(model.model_fields)


def _inner(annotation: Any) -> type[Section] | None:
    """The model within a list or mapping of models."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    found = (_inner(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)
