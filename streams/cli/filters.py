"""The filter of dead letters, for `ringback dlq ls`, `replay` and `purge`; its options stand in `letters.asked`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, get_type_hints

from streams.cli import letters

#: What a command that is filtered calls the letters that are meant.
GIVEN = "asked"


def filtered(command: Callable[..., None], without: Sequence[str] = ()) -> Callable[..., None]:
    """The command with the options of `letters.asked`, but for those it is to be `without`, in place of its parameter
    `asked`: it is given the letters that they mean.
    """
    options = _parameters(letters.asked, without)
    own = _parameters(command, [GIVEN])

    def filtering(**given: Any) -> None:
        asked = letters.asked(**{option.name: given.pop(option.name) for option in options})
        command(**{GIVEN: asked}, **given)

    filtering.__name__, filtering.__doc__ = command.__name__, command.__doc__
    # Typer reads a command's options from these.
    filtering.__annotations__ = {one.name: one.annotation for one in (*options, *own)}
    filtering.__signature__ = inspect.Signature([*options, *own])  # type: ignore[attr-defined]
    return filtering


def _parameters(function: Callable[..., object], without: Sequence[str]) -> list[inspect.Parameter]:
    """A function's parameters, with what their annotations mean."""
    found = [one for one in inspect.signature(function).parameters.values() if one.name not in without]
    # Not of all of them: some are of types that are only imported to be checked.
    written = SimpleNamespace(__annotations__={one.name: one.annotation for one in found})
    hints = get_type_hints(written, function.__globals__, include_extras=True)
    return [one.replace(annotation=hints[one.name]) for one in found]
