"""A Ctrl-C while the program is still being read."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.support.processes import as_a_terminal_starts

# Presses Ctrl-C at the moment when typer is imported.
PROGRAM = """
import os, signal, sys
class Finger:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finger())
sys.argv = ["ringback", "--version"]
{before}
from streams.cli.entry import main
main()
"""


def press(before: str = "signal.signal(signal.SIGINT, signal.default_int_handler)") -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(before=before)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)


def test_it_ends_the_command_without_a_word() -> None:
    done = press()
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_one_that_is_not_for_us_is_not_heeded() -> None:
    done = press("signal.signal(signal.SIGINT, signal.SIG_IGN)")
    assert (done.returncode, done.stdout.split()[0]) == (0, "ringback"), done.stderr


def test_what_tests_interrupt_heeds_it_also_when_they_run_in_the_background() -> None:
    """A shell without job control says to what it starts in the background that a Ctrl-C is not for it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with as_a_terminal_starts():
            sleeping = subprocess.Popen(["sleep", "60"])
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    with sleeping:
        sleeping.send_signal(signal.SIGINT)
        try:
            assert sleeping.wait(10) == -signal.SIGINT
        finally:
            sleeping.kill()
