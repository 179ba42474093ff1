"""The environment that Quix Streams runs in: a virtual one, made once per set of requirements, in the user's cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def python() -> Path:
    """Its Python. Blocks for a minute or so the first time, for pip installs it then.

    Raises CalledProcessError when pip cannot.
    """
    named = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache() / f"bench-quix-{named}"
    executable = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        print("making an environment for Quix Streams", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(executable), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--requirement", str(REQUIREMENTS)], check=True)
        done.touch()
    return executable


def cache() -> Path:
    """Where the user's programs keep what can be made again."""
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "ringback"
