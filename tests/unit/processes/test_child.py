"""A process that says it is a child (`streams.processes.child`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.errors import USAGE


@pytest.mark.parametrize("given", [subprocess.DEVNULL, subprocess.PIPE])
def test_one_that_no_parent_has_started_says_what_to_do(given):
    ended = subprocess.run(
        [Path(sys.executable).with_name("ringback"), "worker", "--number", "3"],
        stdin=given,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == USAGE
    assert "--processes N" in ended.stderr
    assert "Traceback" not in ended.stderr
