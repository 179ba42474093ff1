"""Reads a Dockerfile: its instructions, stage by stage."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "docker" / "Dockerfile"
IGNORE = ROOT / ".dockerignore"


class Instruction(NamedTuple):
    """One instruction, its continued lines joined."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of its JSON form, or of its text."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)

    @property
    def pairs(self) -> dict[str, str]:
        """Of LABEL and ENV: what it sets."""
        return dict(word.split("=", 1) for word in self.words)  # type: ignore[misc]


class Stage(NamedTuple):
    """One stage: the image it begins with, its name, and what follows its FROM."""

    image: str
    name: str
    instructions: list[Instruction]

    def of(self, name: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        return self.of(name)[-1]


def read(path: Path = FILE) -> list[Stage]:
    """The stages of a Dockerfile."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    stages: list[Stage] = []
    for line in joined.splitlines():
        name, _, text = line.partition(" ")
        if name == "FROM":
            image, _, alias = text.partition(" AS ")
            stages.append(Stage(image, alias, []))
        else:
            stages[-1].instructions.append(Instruction(name, text.strip()))
    return stages


def sent(path: str, ignore: Path = IGNORE) -> bool:
    """Whether `.dockerignore` lets this file into the build: the last pattern that fits it, or a folder above, says."""
    answer = True
    parts = path.split("/")
    above = ["/".join(parts[: number + 1]) for number in range(len(parts))]
    for line in ignore.read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        plain = pattern.removeprefix("!")
        # `**/x` is x at any depth; `*` does not pass a slash.
        tried = [part for one in above for part in [one.rsplit("/", 1)[-1]]] if plain.startswith("**/") else above
        wanted = plain.removeprefix("**/")
        if any(one.count("/") == wanted.count("/") and fnmatch.fnmatch(one, wanted) for one in tried):
            answer = pattern.startswith("!")
    return answer
