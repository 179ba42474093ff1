"""Runs one command that never outlives whoever started it; itself run as a script, with nothing but the standard
library.

The guard sits between a parent and a command. The parent holds the guard's standard input, where each byte is an order
(`ORDERS`: end, kill, stop, go on); the end of the stream means that the parent is gone, also by SIGKILL: then the
command is killed. A copy of the pipe may live on in a process that the parent forked, so the guard also looks once a
second whether it was orphaned. Should the guard itself be killed, the kernel kills the command (Linux,
PR_SET_PDEATHSIG: the guard has one thread, so the caveat that the signal comes when the *thread* ends does not bite).
The guard exits with the command's code when the command has ended, as a shell does: 128 and the signal's number when it
was a signal.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

ORPHAN_CHECK_SECONDS = 1.0
PR_SET_PDEATHSIG = 1
ORDERS = {ord("t"): signal.SIGTERM, ord("k"): signal.SIGKILL, ord("s"): signal.SIGSTOP, ord("c"): signal.SIGCONT}


def command_line(command: list[str]) -> list[str]:
    """What to start to run `command` guarded."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def die_with_guard() -> None:
    """In the forked child, before it becomes the command: ask the kernel to kill it when the guard ends."""
    if sys.platform != "linux":
        return
    import ctypes

    guard = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != guard:
        os._exit(1)


def obey(orders: bytes, child: subprocess.Popen[bytes]) -> None:
    """Pass the orders on to the command; no bytes at all means that the parent is gone."""
    for order in orders or b"k":
        child.send_signal(ORDERS[order])


def watch(child: subprocess.Popen[bytes], parent: int, ended: int) -> int:
    """Wait until the command has ended, obeying the parent; `ended` is readable when a child has ended."""
    inputs = [0, ended]
    while child.poll() is None:
        ready, _, _ = select.select(inputs, [], [], ORPHAN_CHECK_SECONDS)
        if ended in ready:
            os.read(ended, 4096)
        if 0 in ready:
            orders = os.read(0, 64)
            obey(orders, child)
            if not orders:
                inputs.remove(0)
        elif os.getppid() != parent:
            child.kill()
    return child.returncode


def main() -> int:
    parent = int(sys.argv[1])
    ended, notify = os.pipe()
    os.set_blocking(notify, False)
    signal.set_wakeup_fd(notify)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Whoever ends the guard politely wants the command to end: there is nothing here to save but the command's own
    # order.
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, preexec_fn=die_with_guard)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    code = watch(child, parent, ended)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
