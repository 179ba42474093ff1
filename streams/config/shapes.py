"""How the keys of `models` are built up (lists, mappings, sections) around their kinds: for writing values back and
describing them.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from streams.config.kinds import Kind
from streams.config.models import Section


class Shape:
    """What may stand at a key: one of a kind, a list or mapping of a shape, or a section of its own."""

    def __init__(self, annotation: Any, metadata: tuple[Any, ...] = ()) -> None:
        self.kind = next((each for each in metadata if isinstance(each, Kind)), None)
        self.section: type[Section] | None = None
        self.of: Shape | None = None
        self.container: type | None = None
        origin, arguments = get_origin(annotation), get_args(annotation)
        if self.kind is not None:
            return
        if origin is Annotated:
            self._become(Shape(arguments[0], arguments[1:]))
        elif origin in (list, dict):
            self.container, self.of = origin, Shape(arguments[-1])
        elif isinstance(annotation, type) and issubclass(annotation, Section):
            self.section = annotation
        else:
            self._become(Shape(next(each for each in arguments if each is not type(None))))

    @classmethod
    def of_field(cls, field: FieldInfo) -> Shape:
        """The shape of a model's field."""
        return cls(field.annotation, tuple(field.metadata))

    def _become(self, other: Shape) -> None:
        self.kind, self.section, self.of, self.container = other.kind, other.section, other.of, other.container

    def write(self, value: Any) -> Any:
        """A value as it stands in YAML; what is read from that is the value again."""
        if value is None:
            return None
        if self.kind is not None:
            return self.kind.write(value)
        if self.section is not None:
            return write(self.section, value)
        assert self.of is not None
        if self.container is list:
            return [self.of.write(each) for each in value]
        return {key: self.of.write(each) for key, each in value.items()}

    def describe(self) -> str:
        """What may stand there, in words."""
        if self.kind is not None:
            return self.kind.describe()
        if self.section is not None:
            return "mapping, see below"
        assert self.of is not None
        if self.section is None and self.of.section is not None:
            return "list of mappings, see below" if self.container is list else "mapping of mappings, see below"
        return ("list of: " if self.container is list else "mapping to: ") + self.of.describe()

    def inner(self) -> type[Section] | None:
        """The section within, if there is one."""
        return self.section or (self.of.inner() if self.of else None)


def write(section: type[Section], values: dict[str, Any]) -> dict[str, Any]:
    """A section's values as they stand in YAML, in the table's order; keys that `values` has not stay out."""
    fields = section.model_fields
    return {key: Shape.of_field(fields[key]).write(values[key]) for key in fields if key in values}


#: What a key without a default has for one: equal to nothing.
REQUIRED = object()


def default(section: type[Section], key: str) -> Any:
    """A key's default as it would stand in YAML; `REQUIRED` when it has none."""
    field = section.model_fields[key]
    return REQUIRED if field.is_required() else Shape.of_field(field).write(field.get_default())
