"""The configuration in force, back as YAML: applying what was exported changes nothing."""

from __future__ import annotations

from pathlib import Path

from streams.config import follow, writing
from streams.config.documents import SUFFIXES
from streams.errors import USAGE, Stop
from streams.settings import Settings


def export(settings: Settings, directory: str | Path) -> list[Path]:
    """Write the configuration in force into `directory`, a file for each section. Blocks; returns the files.

    Raises `streams.errors.Stop` when there is no configuration, or when the directory holds other YAML files: they
    would be applied too.
    """
    directory = Path(directory)
    current = follow.read_current(settings)
    if current is None:
        raise Stop("there is no configuration yet", "write one with `ringback apply DIR`")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        others = sorted(
            path.name
            for path in directory.iterdir()
            if path.suffix in SUFFIXES and path.name not in writing.FILES.values()
        )
        if others:
            raise Stop(
                f"{directory} holds other YAML files: {', '.join(others[:5])}", "name an empty or new directory", USAGE
            )
        for section, text in writing.documents(current).items():
            (directory / writing.FILES[section]).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(f"{directory} cannot be written: {error.strerror}") from error
    return [directory / name for name in writing.FILES.values()]
