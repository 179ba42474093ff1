"""Follows a page of the docs as its reader would: its commands in one shell, what it shows beside what is shown."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from streams.settings import PREFIX
from tests.support.processes import ROOT
from tests.support.waiting import eventually

#: What differs from one run to the next: times of day, and how long something took.
CHANGES = re.compile(r"\b\d\d:\d\d:\d\d\b|\b[\d.]+ s \([\d,]+/s\)")


class Step(NamedTuple):
    """A block of commands, and the output that the page shows for it (None: it shows none)."""

    commands: str
    shown: str | None


def steps(page: str) -> Iterator[Step]:
    """The ```sh blocks of a page in their order, each with the ```text block that follows it, if one does."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for place, (language, text) in enumerate(blocks):
        if language == "sh":
            shown = [text for language, text in blocks[place + 1 : place + 2] if language == "text"]
            yield Step(text, shown[0] if shown else None)


def same(text: str) -> list[str]:
    """The lines of an output without what may differ: partitions are independent, so their order may too."""
    return sorted(CHANGES.sub("…", line).rstrip() for line in text.strip().splitlines())


class Shell:
    """A bash in `folder`, which gets one block after the other; `replace` says what to write instead of what.

    `ringback` and `python` in it are this Python's; `make install` only looks whether there is such a target.
    """

    def __init__(self, folder: Path, replace: Mapping[str, str]) -> None:
        self._folder, self._replace, self._count = folder, replace, 0
        self._prepare()
        clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        ours = {"PYTHONPATH": str(ROOT), f"{PREFIX}METRICS_PORT": "0", f"{PREFIX}SENDER_METRICS_PORT": "0"}
        self._bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=clean | ours,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.run("trap failed=1 ERR", within=10)
        self.run(f"make() {{ [ $1 = install ] && command make --dry-run -C '{ROOT}' $1; }}", within=10)

    def run(self, commands: str, *, within: float) -> str:
        """What these commands say; blocks until they are done, at most `within` seconds. All of them must succeed."""
        commands = self._with_ours(commands)
        self._count += 1
        said, status = self._folder / f".said-{self._count}", self._folder / f".status-{self._count}"
        assert self._bash.stdin
        self._bash.stdin.write(f"failed=0\n{{\n{commands}\n}} > '{said}' 2>&1\necho $failed > '{status}'\n".encode())
        self._bash.stdin.flush()
        eventually(lambda: status.exists() and status.read_text(), within=within, what=commands)
        assert status.read_text() == "0\n", f"{commands}\n{said.read_text()}"
        return said.read_text()

    def follow(self, step: Step, *, within: float = 60.0) -> None:
        """Do a step. If the page shows its output it is done again until it says so: such steps only look."""
        if step.shown is None:
            self.run(step.commands, within=within)
            return
        wanted = same(self._with_ours(step.shown))
        heard: list[str] = []

        def agrees() -> bool:
            heard[:] = same(self.run(step.commands, within=within))
            assert heard == wanted
            return True

        try:
            eventually(agrees, within=within, every=0.5, what=step.commands)
        except AssertionError:
            raise AssertionError("\n".join([step.commands, "shows:", *wanted, "", "said:", *heard])) from None

    def end(self) -> None:
        """End it with all that it started."""
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()

    def _with_ours(self, text: str) -> str:
        for written, instead in self._replace.items():
            text = text.replace(written, instead)
        return text

    def _prepare(self) -> None:
        tools = self._folder / ".venv" / "bin"
        tools.mkdir(parents=True)
        (tools / "activate").write_text(f"export PATH='{tools}':$PATH\n")
        for name, module in (("python", ""), ("ringback", "-m streams.cli.main ")):
            (tools / name).write_text(f"#!/bin/sh\nexec '{sys.executable}' {module}\"$@\"\n")
            (tools / name).chmod(0o755)
