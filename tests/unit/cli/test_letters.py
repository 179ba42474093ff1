"""Whether the user is sure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

ASKING = """
from streams.cli import letters, output
from streams.errors import Stop
try:
    letters.sure("go on?", False)
except Stop as stop:
    output.complain(stop)
    raise SystemExit(stop.exit_code)
"""


@pytest.mark.parametrize(("pressed", "status"), [("Ctrl-C", 130), ("n", 2), ("y", 0)])
def test_a_question_that_is_broken_off_is_told_from_a_no(pressed: str, status: int) -> None:
    ours, theirs = os.openpty()
    started = subprocess.Popen([sys.executable, "-c", ASKING], stdin=theirs, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    with os.fdopen(ours, "wb", buffering=0) as terminal, started as running:
        assert running.stderr is not None
        said = ""
        while "[y/N]:" not in said:
            said += running.stderr.read(1)
        if pressed == "Ctrl-C":
            running.send_signal(signal.SIGINT)
        else:
            terminal.write(f"{pressed}\n".encode())
        said = running.stderr.read()
        assert running.wait(30) == status, said
    assert said.strip() == ("" if pressed == "y" else "ringback: nothing was done")
