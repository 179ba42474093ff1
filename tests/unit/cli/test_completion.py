"""Completion in the shell: the scripts that `--show-completion` gives, in a real bash, and what they ask for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which `ringback` is this program, and nobody's own start-up files are read or written."""
    command = tmp_path / "bin" / "ringback"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m streams.cli.main "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


def bash(script: str, environment: dict[str, str]) -> list[str]:
    """The lines that a script writes in a bash without start-up files."""
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


COMPLETE = """
source <(ringback --show-completion)
complete -p ringback
completed() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _ringback_completion ringback; echo "${COMPREPLY[@]}"; }
completed ringback do
completed ringback topics ""
completed ringback doctor --j
completed ringback feed records.jsonl --format ""
"""


def test_bash_completes_commands_options_and_values(environment: dict[str, str]) -> None:
    registered, *completed = bash(COMPLETE, environment)
    assert registered == "complete -o default -F _ringback_completion ringback"
    assert completed == ["doctor", "create list", "--json", "auto json csv"]


def test_bash_finds_what_was_installed(environment: dict[str, str], tmp_path: Path) -> None:
    # The shell is found as the parent of the command, so the command must not be the shell's last one.
    told = bash("ringback --install-completion; source ~/.bashrc; complete -p ringback", environment)
    assert str(tmp_path / ".bash_completions" / "ringback.sh") in told[0]
    assert told[-1] == "complete -o default -F _ringback_completion ringback"


@pytest.mark.parametrize(
    ("shell", "more"), [("zsh", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})], ids=["zsh", "fish"]
)
def test_the_other_shells_are_answered_too(shell: str, more: dict[str, str], environment: dict[str, str]) -> None:
    asked = {"_RINGBACK_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "ringback topics c", **more}
    told = subprocess.run(["ringback"], env=environment | asked, capture_output=True, text=True, check=True, timeout=60)
    assert "create" in told.stdout
    assert "list" not in told.stdout
