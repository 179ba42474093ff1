"""Configurations written as YAML by tests, and what loading them tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.config import Configuration
from streams.config.load import load_directory
from streams.config.problems import ConfigurationErrors, Problem

APP = "apps:\n- {id: game, platform: android}\n"
PARTNER = "partners:\n- {id: acme}\n"


def load(tmp_path: Path, text: str) -> Configuration:
    """Load a file with this text."""
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return load_directory(path)


def problems(tmp_path: Path, text: str) -> list[Problem]:
    """What is wrong with a file that has this text."""
    with pytest.raises(ConfigurationErrors) as raised:
        load(tmp_path, text)
    return raised.value.problems


def told(tmp_path: Path, text: str) -> list[str]:
    """The same as lines without the file's name."""
    return [str(problem).removeprefix(f"{tmp_path / 'c.yaml'}:") for problem in problems(tmp_path, text)]


def postback(**keys: str) -> str:
    """A whole configuration with one postback whose keys are given as YAML."""
    own = {"id": "p", "app": "game", "partner": "acme", "event": "install", "url": "https://acme.example/"} | keys
    lines = [f"{'- ' if number == 0 else '  '}{key}: {value}" for number, (key, value) in enumerate(own.items())]
    return APP + PARTNER + "postbacks:\n" + "\n".join(lines) + "\n"
