"""Where the command `ringback` begins: a Ctrl-C while Python is still reading the program ends it without a word."""

from __future__ import annotations

import signal


def main() -> None:
    """The entry point. Until the commands are there, nothing has been begun that would have to be ended in order."""
    # A shell that starts us in the background may have said that a Ctrl-C is not for us.
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from streams.cli import main as commands

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    commands.main()
