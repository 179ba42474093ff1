"""The package: the wheel has every file that the program needs and nothing of the tests, and works from any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import streams
from streams.errors import RUNTIME
from streams.local.guarded import GuardedProcess
from streams.settings import PREFIX
from tests.support.processes import ROOT
from tests.support.waiting import eventually

PACKAGES = ("schemas", "streams")
#: What a build reads. The tests are there too, to be left out.
TAKEN = (*PACKAGES, "tests/support", "docs", "deploy/examples")
FILES = ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "CHANGELOG.md", "requirements.lock")
DELIVERED = "first delivered postback after"
INTERRUPTED = 130
#: setuptools changes sys.argv.
BUILD = "import sys; to = sys.argv[1]; from setuptools import build_meta as b; b.build_sdist(to); b.build_wheel(to)"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution, built from a copy, so that nothing of an earlier build is in
    them.
    """
    source, into = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in TAKEN:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    done = subprocess.run([sys.executable, "-c", BUILD, str(into)], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return into


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel in it. What it depends on is taken from this one: fetching all
    of it anew would take a minute and prove nothing about the wheel.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    programs = folder / "bin"
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["--python", str(programs / "python"), "install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    done = subprocess.run([sys.executable, "-m", "pip", *install], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return programs


def strangers() -> dict[str, str]:
    """The environment of somebody who has the wheel and knows nothing of the project's folder."""
    ours = ("PYTHONPATH", "VIRTUAL_ENV")
    return {name: text for name, text in os.environ.items() if name not in ours and not name.startswith(PREFIX)}


def ask(*command: str | Path, folder: Path, status: int = 0) -> str:
    """What a command says when it is started in `folder`."""
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=strangers(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def files(folder: Path) -> set[str]:
    """The files below a folder of the project that belong to it, by their paths in the project."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_every_file_of_the_packages_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set.union(*(files(ROOT / package) for package in PACKAGES))
    assert inside == expected
    kinds = {PurePosixPath(name).suffix for name in inside}
    assert {".py", ".typed", ".json", ".yaml", ".toml"} <= kinds


def test_the_source_distribution_has_what_a_build_needs_and_no_tests(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        inside = {"/".join(PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    expected = set.union(*(files(ROOT / package) for package in (*PACKAGES, "docs", "deploy/examples")))
    assert expected | set(FILES) <= inside
    assert [name for name in inside if name.split("/")[0] == "tests"] == []


def test_the_metadata_say_what_the_project_says(wheel: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == streams.__version__
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = archive.read(name).decode().splitlines()
    assert f"Version: {streams.__version__}" in metadata
    assert "License-Expression: Apache-2.0" in metadata
    required = {line.removeprefix("Requires-Dist: ") for line in metadata if line.startswith("Requires-Dist: ")}
    assert set(project["dependencies"]) <= required


def test_the_command_works_from_any_folder(clean: Path, tmp_path: Path) -> None:
    ringback = clean / "ringback"
    assert ask(ringback, "--version", folder=tmp_path) == f"ringback {streams.__version__}\n"
    for command in ("worker", "sender", "demo", "apply", "doctor"):
        assert f"Usage: ringback {command}" in ask(ringback, command, "--help", folder=tmp_path)
    assert "RINGBACK_BOOTSTRAP_SERVERS" in ask(ringback, "settings", folder=tmp_path)
    report = ask(ringback, "-b", "127.0.0.1:1", "doctor", "--timeout", "0.2", folder=tmp_path, status=RUNTIME)
    assert f"ok       versions       ringback {streams.__version__}, " in report
    assert "1 wrong" in report.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


LOOK = """
from pathlib import Path
import schemas, streams
from streams.demo import configuration
from streams.local import jars
root = Path(schemas.__file__).parent
print(Path(streams.__file__).parents[1])
print(len(list(root.glob("json/*.schema.json"))), len(list(root.glob("examples/*.json"))))
print(jars.LOCK.is_file(), len(configuration.load_configuration("http://127.0.0.1:1", "x.").postbacks))
import streams.app, streams.delivery.app, streams.engine.worker, streams.demo.run
"""


def test_the_data_that_the_program_reads_is_installed_with_it(clean: Path, tmp_path: Path) -> None:
    place, schemas, rest = ask(clean / "python", "-c", LOOK, folder=tmp_path).splitlines()
    assert Path(place).is_relative_to(clean.parent)
    assert schemas == "{} {}".format(*(len(list((ROOT / "schemas" / kind).iterdir())) for kind in ("json", "examples")))
    there, postbacks = rest.split()
    assert there == "True"
    assert int(postbacks) > 0


def test_what_is_installed_fits_together(clean: Path, tmp_path: Path) -> None:
    check = [sys.executable, "-m", "pip", "--python", clean / "python", "check"]
    assert "No broken requirements found" in ask(*check, folder=tmp_path)


def test_the_demo_delivers_from_the_wheel(clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = [str(clean / "ringback"), "demo", "--seconds", "60", "--rate", "20"]
    demo = GuardedProcess(command, tmp_path / "demo.log", strangers())
    try:
        eventually(lambda: DELIVERED in demo.output() or not demo.running, within=90, what=DELIVERED)
    finally:
        status = demo.end(30)
    assert DELIVERED in demo.output(), demo.log_tail()
    assert status == INTERRUPTED, demo.log_tail()
