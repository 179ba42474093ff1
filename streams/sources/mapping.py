"""Field mapping: which place of the user's record holds which field of the contract. Pure.

A place is a field's name, or names with dots between them for a field inside an object. A field whose own name has dots
in it is found by that name first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def split(
    written: Mapping[str, Any], mapping: Mapping[str, str], fields: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The contract's fields of a record, and what is left of it. `written` is not changed.

    A mapped field comes from its mapped place only: a field of its own name is the user's own, and so is left over.
    """
    known = {field: fetch(written, place) for field, place in mapping.items()}
    # One field may be two of the contract's: what stands at a place that is a field itself stays there.
    moved = (place for place in mapping.values() if place not in fields or place in mapping)
    left = {}
    for name, value in without(written, moved).items():
        if name in fields and name not in mapping:
            known[name] = value
        else:
            left[name] = value
    return known, left


def fetch(written: Mapping[str, Any], place: str) -> Any:
    """What stands at a place; None when there is nothing."""
    if place in written:
        return written[place]
    value: Any = written
    for name in place.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def without(written: Mapping[str, Any], places: Iterable[str]) -> dict[str, Any]:
    """A copy with nothing at `places`; an object that loses its last field that way goes too."""
    left = dict(written)
    for place in places:
        if place in left:
            del left[place]
        else:
            _remove(left, place.split("."))
    return left


def _remove(record: dict[str, Any], names: list[str]) -> None:
    """Remove the field that `names` lead to from `record`, which is ours; the objects on the way are copied first."""
    first, *rest = names
    inner = record.get(first)
    if not rest:
        record.pop(first, None)
    elif isinstance(inner, dict):
        copy = dict(inner)
        _remove(copy, rest)
        if copy or not inner:
            record[first] = copy
        else:
            del record[first]
