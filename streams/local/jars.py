"""The broker's jars: resolved by Maven coordinates through jgo, and checked against a lock in jgo's own format.

`kafka.lock.toml` beside this module names every jar of the broker with its SHA-256. A start takes exactly those: from
the local Maven repository when they are there (no network is needed then), otherwise downloaded, and never one whose
checksum differs. A jar appears in the repository whole or not at all. `python -m streams.local.jars` resolves the
coordinates anew and writes the lock; with `--fetch` it only downloads what is missing, and can be ended at any moment.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.local.errors import ResolutionFailed

if TYPE_CHECKING:
    from jgo.env import LockedDependency
    from jgo.maven import Artifact, MavenContext

KAFKA_VERSION = "4.3.1"

#: The broker, and the bridge that carries its log (slf4j) to log4j, which it brings along itself. `!` is jgo's mark for
#: plain Maven resolution; without it the dependency management of the one would set the versions of the other's
#: dependencies.
COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}!", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5!")

LOCK = Path(__file__).with_name("kafka.lock.toml")
PARALLEL_DOWNLOADS = 8
REMEDY = "The first start needs Maven Central (or the repositories of your jgo settings); later ones no network."


def jars() -> list[Path]:
    """The paths of all the broker's jars, present and checked. Blocks: about 0.2 s when cached, else for the download.

    Safe to call from several processes at once. Raises `ResolutionFailed`.
    """
    context = maven_context()
    locked = locked_dependencies()
    with one_at_a_time(context.repo_cache), arriving(context) as arrivals, downloads() as pool:
        return list(pool.map(lambda dependency: checked_jar(context, arrivals, dependency), locked))


def missing() -> int:
    """How many jars a start would have to download. Raises `ResolutionFailed`."""
    context = maven_context()
    return sum(not place(context, dependency).exists() for dependency in locked_dependencies())


def locked_dependencies() -> list[LockedDependency]:
    """The lines of the lock."""
    from jgo.env import LockFile

    return list(LockFile.load(LOCK).dependencies)


def maven_context(cache: Path | None = None) -> MavenContext:
    """jgo's view of Maven by the user's own jgo settings: its cache folder (or this one), and repositories beside Maven
    Central.
    """
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise ResolutionFailed(
            f"The embedded broker needs the package jgo ({error}).",
            "Install the extra that brings it: pip install 'ringback[local]'",
        ) from error
    settings = GlobalSettings.load()
    return MavenContext(
        repo_cache=cache or Path(settings.repo_cache),
        local_repos=[],
        remote_repos={"central": MAVEN_CENTRAL_URL, **settings.repositories},
        timeout=60,
    )


@contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """Keeps other processes from downloading into the same cache: jgo writes a jar in place, so a second reader could
    see half of it.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / ".ringback.lock").open("w")
    except OSError as error:
        raise ResolutionFailed(
            f"The Maven cache {cache} cannot be written ({error}).", "Point M2_REPO to a folder that can."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def arriving(context: MavenContext) -> Iterator[MavenContext]:
    """The same repositories with a folder for what is not whole yet, beside the jars, since only within a file system
    a move is one step. Removes what a download that was killed has left there.
    """
    folder = context.repo_cache / ".ringback-partial"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield maven_context(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def downloads() -> Iterator[ThreadPoolExecutor]:
    """Threads to download with. An interruption does not wait for them."""
    pool = ThreadPoolExecutor(PARALLEL_DOWNLOADS)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def checked_jar(context: MavenContext, arrivals: MavenContext, locked: LockedDependency) -> Path:
    """The jar of one line of the lock, taken anew when it is missing or is another one than the lock says."""
    path = place(context, locked)
    if path.exists() and sha256(path) == locked.sha256:
        return path
    arrived = fetched(artifact(arrivals, locked))
    found = sha256(arrived)
    if found != locked.sha256:
        raise ResolutionFailed(
            f"{path.name} has SHA-256 {found}; the lock says {locked.sha256}.", f"Nothing was started. {REMEDY}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    return arrived.replace(path)


def artifact(context: MavenContext, locked: LockedDependency) -> Artifact:
    """One line of the lock as jgo knows it."""
    component = context.project(locked.groupId, locked.artifactId).at_version(locked.version)
    return component.artifact(locked.classifier or "", locked.packaging)


def place(context: MavenContext, locked: LockedDependency) -> Path:
    """Where the jar lies in the local repository, when it is there."""
    path = artifact(context, locked).cached_path
    assert path is not None
    return Path(path)


def fetched(wanted: Any) -> Path:
    """Where the artifact lies on disk, downloaded if it was not there."""
    try:
        return Path(wanted.resolve())
    except (OSError, RuntimeError) as error:
        raise ResolutionFailed(f"{wanted} could not be fetched: {error}", REMEDY) from error


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_lock() -> None:
    """Resolve `COORDINATES` with all they depend on, download them and write the lock."""
    from jgo.env import LockFile

    context = maven_context()
    roots, transitive = context.resolver.resolve([context.create_dependency(each) for each in COORDINATES])
    needed = [*roots, *(each for each in transitive if each.scope in ("compile", "runtime"))]
    needed.sort(key=lambda each: (each.groupId, each.artifactId))
    lock = LockFile.from_resolved_dependencies(needed, environment_name="kafka", min_java_version=17)
    lock.save(LOCK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the lock, or fetch what it names."""
    parser = argparse.ArgumentParser(prog="python -m streams.local.jars", description="The jars of the broker.")
    parser.add_argument("--fetch", action="store_true", help="only download what is missing")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    status = 0
    try:
        if not options.fetch:
            write_lock()
        print(f"{len(jars())} jars")
    except ResolutionFailed as failed:
        print(failed, file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Not the ordinary way out, which waits for downloads that nobody wants any more.
    os._exit(status)


if __name__ == "__main__":
    main()
