"""Checks of what is installed."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka

import streams

from . import verdicts
from .findings import Finding, ok, warning, worst, wrong
from .site import Site


def versions(site: Site) -> Iterator[Finding]:
    """The interpreter, Ringback, and the packages whose version matters."""
    found = [verdicts.python(sys.version_info[:3])]
    found += [verdicts.package(name, _version(name), required) for name, required in verdicts.REQUIRED.items()]
    if worst(one.verdict for one in found) == "ok":
        parts = [f"ringback {streams.__version__}", *(one.found for one in found)]
        yield ok(f"{', '.join(parts)}, librdkafka {confluent_kafka.libversion()[0]}")
        return
    yield from (one for one in found if one.verdict != "ok")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def intruders(site: Site) -> Iterator[Finding]:
    """Packages that must not be there: a second RocksDB driver, and others' `schemas` or `streams`."""
    found = list(verdicts.owners(importlib.metadata.packages_distributions()))
    if importlib.util.find_spec("rocksdb") is not None:
        found.append(
            wrong(
                "a second RocksDB driver (`rocksdb`) is installed: Faust would take it for the state's",
                "pip uninstall faust-streaming-rocksdb python-rocksdb",
            )
        )
    ours = Path(streams.__file__).parents[1].resolve()
    for folder in dict.fromkeys(Path(entry or ".").resolve() for entry in sys.path):
        hidden = [name for name in ("schemas", "streams") if _is_package(folder, name)]
        if folder != ours and hidden:
            yield warning(
                f"{folder} also has {' and '.join(hidden)}; ours, in {ours}, comes first here",
                "start Ringback from another directory, and keep that one out of PYTHONPATH",
            )
    yield from found or [ok("no second RocksDB driver, and nothing hides a package of ours")]


def _is_package(folder: Path, name: str) -> bool:
    return (folder / name / "__init__.py").is_file() or (folder / f"{name}.py").is_file()
