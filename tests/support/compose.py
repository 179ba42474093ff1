"""Reads the compose file as Docker Compose does, as far as this one needs it: merged, interpolated, plain data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from streams.settings import parse_duration

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.kafka.yml"

#: `$$`, `${NAME}` with whatever follows the name, `$NAME`.
VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?P<rest>[^}]*)\}|(?P<bare>\w+))")

Service = dict[str, Any]


def load(path: Path = FILE) -> dict[str, Any]:
    """The file's data, every variable having its default. Raises ValueError for a variable that has none."""
    return _mapped(YAML(typ="safe").load(path.read_text()), interpolated)  # type: ignore[no-any-return]


def interpolated(text: str) -> str:
    """A value as it is when nobody has set any variable."""

    def value(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "$"
        if not (found["rest"] or "").startswith(":-"):
            raise ValueError(f"{text}: a variable without a default (${{NAME:-default}})")
        return found["rest"].removeprefix(":-")

    return VARIABLE.sub(value, text)


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    return change(value) if isinstance(value, str) else value


def words(value: Any) -> list[str]:
    """Every text in a value, at whatever depth."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in words(each)]
    if isinstance(value, list):
        return [text for each in value for text in words(each)]
    return [value] if isinstance(value, str) else []


def seconds(duration: str) -> float:
    """`1m` as 60."""
    return parse_duration(duration) / 1000


def mounts(service: Service) -> list[tuple[str, str, str]]:
    """Source, target and mode (`rw` unless given) of each volume of a service."""
    parts = [(*each.split(":"), "rw") for each in service.get("volumes", [])]
    return [(source, target, mode) for source, target, mode, *_ in parts]


def health_command(service: Service) -> list[str]:
    """The words of the health check, which must be in the form that needs no shell."""
    test: list[str] = service["healthcheck"]["test"]
    assert test[0] == "CMD"
    return test[1:]
