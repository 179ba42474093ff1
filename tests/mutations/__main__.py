"""Take each protection out in a copy of the project and run the tests that stand for it: each run must fail.

`python -m tests.mutations` takes them all (about half an hour), `python -m tests.mutations S7 S13` those of these rows,
`--quick` those that need no broker. Before that the same tests are run on the copy as it is: they must pass.
Exit status 0: every mutation was noticed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.mutations.mutation import Mutation
from tests.mutations.table import MUTATIONS

ROOT = Path(__file__).parents[2]
#: What pytest ends with when tests ran and some failed. Anything else (none found, an error of its own) proves nothing.
PASSED, FAILED = 0, 1
LIMIT_S = 300
TAIL = 2_000
WITHOUT_BROKER = "tests/unit/"
#: pytest leaves the reasons of failures out where they do not fit on a line.
WIDE = {**os.environ, "COLUMNS": "300"}


class Ran(NamedTuple):
    """What pytest ended with (None: not within its time), what it said, and how long it took."""

    status: int | None
    said: str
    seconds: float

    @property
    def failure(self) -> str:
        """The first test that failed, and why."""
        return next((line for line in self.said.splitlines() if line.startswith("FAILED ")), "")


def copied(folder: Path) -> Path:
    """The project as it stands in the working tree, without what is built or ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def run(tests: Iterable[str], folder: Path, limit: float) -> Ran:
    """These tests, of the project in `folder`, up to the first that fails; they have `limit` seconds."""
    begun = time.monotonic()
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-rf", *tests]
    try:
        ran = subprocess.run(command, cwd=folder, env=WIDE, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return Ran(None, f"not over after {limit:.0f} s", limit)
    return Ran(ran.returncode, ran.stdout + ran.stderr, time.monotonic() - begun)


def without(mutation: Mutation, folder: Path) -> Ran:
    """The mutation's tests, without the protection."""
    path = folder / mutation.file
    before = path.read_text()
    path.write_text(mutation.applied(before))
    try:
        return run(mutation.tests, folder, LIMIT_S)
    finally:
        path.write_text(before)


def take_out(mutations: Sequence[Mutation], folder: Path) -> int:
    """One after the other; how many were not noticed."""
    missed = 0
    for mutation in mutations:
        ran = without(mutation, folder)
        noticed = ran.status == FAILED
        missed += not noticed
        word = "noticed" if noticed else "NOT NOTICED"
        print(f"{mutation.row:4} {word:12} {ran.seconds:5.0f} s  {mutation.without}", flush=True)
        print(f"     {ran.failure}" if noticed else ran.said[-TAIL:], flush=True)
    return missed


def main() -> int:
    """Run those that were asked for; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="rows of the table of faults, such as S7")
    parser.add_argument("--quick", action="store_true", help="only those that need no broker")
    given = parser.parse_args()
    asked = [
        one
        for one in MUTATIONS
        if (not given.rows or one.row in given.rows)
        and (not given.quick or all(test.startswith(WITHOUT_BROKER) for test in one.tests))
    ]
    tests = list(dict.fromkeys(test for one in asked for test in one.tests))
    if not tests:
        parser.error("there is no such row")
    with tempfile.TemporaryDirectory() as made:
        folder = copied(Path(made))
        whole = run(tests, folder, LIMIT_S * len(tests))
        print(f"with all protections: {'passed' if whole.status == PASSED else 'FAILED'}  {whole.seconds:.0f} s")
        if whole.status != PASSED:
            print(whole.said[-TAIL:])
            return 1
        return 1 if take_out(asked, folder) else 0


if __name__ == "__main__":
    sys.exit(main())
