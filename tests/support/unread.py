"""A process whose log nobody reads."""

from __future__ import annotations

import subprocess
import sys

END_SECONDS = 20


def status_unread(script: str) -> int:
    """How this script ends of itself while nobody reads what it writes to standard error."""
    with subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) as process:
        try:
            return process.wait(END_SECONDS)
        finally:
            process.kill()
