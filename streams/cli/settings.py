"""`ringback settings`: every setting, what it is now, and what it is for."""

from __future__ import annotations

from typing import Annotated

import typer

from streams.cli import output


def settings(
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects, for programs.")] = False,
) -> None:
    """List every setting: what it is, and what for."""
    import msgspec

    from streams.settings import PREFIX, Settings, SettingsError, load, shown

    wrong: SettingsError | None = None
    # What a user who got a setting wrong needs is this very list.
    defaults = current = Settings.model_construct()
    try:
        current = load()
    except SettingsError as error:
        wrong = error
    rows = [
        {
            "name": name,
            "variable": PREFIX + name.upper(),
            "default": shown(defaults, name),
            "value": shown(current, name),
            "description": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(rows)).decode())
    else:
        print(output.table(list(map(str.upper, rows[0])), [list(row.values()) for row in rows]))
    if wrong:
        raise wrong
