"""The broker's jars: resolved by Maven coordinates through jgo, and checked against a lock in jgo's own format.

`kafka.lock.toml` beside this module names every jar of the broker with its SHA-256. A start takes exactly those: from
the local Maven repository when they are there (no network is needed then), otherwise downloaded, and never one whose
checksum differs. `python -m streams.local.jars` resolves the coordinates anew and writes the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
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
    from jgo.env import LockFile

    context = maven_context()
    locked = LockFile.load(LOCK).dependencies
    with one_at_a_time(context.repo_cache), ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        return list(pool.map(lambda dependency: checked_jar(context, dependency), locked))


def maven_context() -> MavenContext:
    """jgo's view of Maven by the user's own jgo settings: its cache folder, and repositories beside Maven Central."""
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
        repo_cache=Path(settings.repo_cache),
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


def checked_jar(context: MavenContext, locked: LockedDependency) -> Path:
    """The jar of one line of the lock. One that differs is fetched again once: a crash may leave half a download."""
    component = context.project(locked.groupId, locked.artifactId).at_version(locked.version)
    artifact: Artifact = component.artifact(locked.classifier or "", locked.packaging)
    path = fetched(artifact)
    if sha256(path) == locked.sha256:
        return path
    path.unlink()
    path = fetched(artifact)
    found = sha256(path)
    if found != locked.sha256:
        path.unlink()
        raise ResolutionFailed(
            f"{path.name} has SHA-256 {found}; the lock says {locked.sha256}.", f"Nothing was started. {REMEDY}"
        )
    return path


def fetched(artifact: Any) -> Path:
    """Where the artifact lies on disk, downloaded if it was not there."""
    try:
        return Path(artifact.resolve())
    except (OSError, RuntimeError) as error:
        raise ResolutionFailed(f"{artifact} could not be fetched: {error}", REMEDY) from error


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


if __name__ == "__main__":
    write_lock()
    print(f"wrote {LOCK} with {len(jars())} jars")
