"""The image is what its Dockerfile and its comments say, as far as it can be seen without Docker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import compose, dockerfile

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_image_runs_as_a_user_without_rights() -> None:
    final = dockerfile.read()[-1]
    user, _, group = final.last("USER").text.partition(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000
    assert f"--uid {user} " in final.of("RUN")[0].text
    assert final.last("ENTRYPOINT").words == ["ringback"]
    assert final.last("STOPSIGNAL").text == "SIGTERM"


def test_the_image_is_that_of_this_version() -> None:
    stages = dockerfile.read()
    labels = stages[-1].last("LABEL").pairs
    assert labels["org.opencontainers.image.version"] == PROJECT["version"]
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]
    names = [stage.name for stage in stages]
    bases = [stage.image for stage in stages if stage.image not in names]
    (python,) = [re.match(r"python:(3\.\d+)-slim-\w+$", base)[1] for base in bases]  # type: ignore[index]
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]


def test_the_state_lies_where_the_image_and_the_worker_expect_it() -> None:
    final = dockerfile.read()[-1]
    worker = compose.load()["services"]["worker"]
    state = final.last("ENV").pairs["RINGBACK_STATE_DIR"]
    assert any(state in run.text for run in final.of("RUN"))
    assert [target for _, target, mode in compose.mounts(worker) if mode == "rw"] == [state]


def test_what_the_image_is_made_of_exists_and_is_sent() -> None:
    copies = [copy.words for stage in dockerfile.read() for copy in stage.of("COPY")]
    sources = [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]
    assert len(sources) >= 7
    for source in sources:
        assert (ROOT / source).exists(), source
        assert dockerfile.sent(source), source


@pytest.mark.parametrize(
    "path",
    ["tests/conftest.py", ".git/HEAD", ".venv/bin/python", "streams/__pycache__/app.pyc", "deploy/docker/config"],
)
def test_what_does_not_belong_into_the_image_is_not_sent(path: str) -> None:
    assert not dockerfile.sent(path)
    assert dockerfile.sent("streams/local/kafka.lock.toml")


def pins(path: Path) -> dict[str, str]:
    """Of a lock file: what it says of each package (version, marker and hashes)."""
    blocks = re.findall(r"^[A-Za-z0-9].*(?:\n    .*)*", path.read_text(), re.MULTILINE)
    return {canonicalize_name(re.split(r"[=\s]", block)[0]): block for block in blocks}


def needed(roots: list[str]) -> set[str]:
    """What packages need to run, on this machine, with what they need in turn."""
    found: set[str] = set()
    left = [Requirement(root) for root in roots]
    while left:
        wanted = left.pop()
        name = canonicalize_name(wanted.name)
        first = name not in found
        found.add(name)
        for text in metadata.requires(name) or [] if first or wanted.extras else []:
            each = Requirement(text)
            extras = ["", *wanted.extras]
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
                left.append(each)
    return found


def test_the_image_has_what_the_program_needs_and_nothing_else() -> None:
    runtime = pins(DOCKER / "runtime.lock")
    elsewhere = {name for name, block in runtime.items() if " ; " in block.splitlines()[0]}
    assert set(runtime) - elsewhere == needed(PROJECT["dependencies"]) - elsewhere


@pytest.mark.parametrize("name", ["runtime.lock", "build.lock"])
def test_the_image_has_the_versions_that_are_tested(name: str) -> None:
    """Else: make lock."""
    everything, image = pins(ROOT / "requirements.lock"), pins(DOCKER / name)
    assert image
    assert {package: everything.get(package) for package in image} == image
    assert all("--hash=sha256:" in block for block in image.values())


def test_no_linter_complains_of_the_dockerfile() -> None:
    """Only where there is one."""
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("no hadolint here")
    done = subprocess.run([hadolint, "--no-color", str(dockerfile.FILE)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_commands_that_build_the_image_work(tmp_path: Path) -> None:
    """Those after the downloads: the wheel is built from what is sent, installed into an environment that has what the
    lock names, and runs from another folder.
    """
    build = dockerfile.read()[1]
    assert build.name == "build"
    for copy in build.of("COPY"):
        *sources, target = copy.words
        for source in sources:
            place = tmp_path / "build" / (target if (ROOT / source).is_dir() else Path(source).name)
            _copy(ROOT / source, place)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "opt"], check=True)
    _borrow(tmp_path / "opt")
    (run,) = [each.text for each in build.of("RUN") if "pip wheel" in each.text]
    commands = run.replace("/opt/ringback/bin/python ", f"{tmp_path}/opt/bin/python ").replace(
        "/opt/ringback/", f"{tmp_path}/opt/"
    )
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-euc", commands], cwd=tmp_path / "build", env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ringback {PROJECT['version']}" in done.stdout
    listed = subprocess.run(
        [tmp_path / "opt/bin/ringback", "settings"], cwd="/", env={}, capture_output=True, text=True
    )
    assert "bootstrap_servers" in listed.stdout, listed.stderr


def _copy(source: Path, target: Path) -> None:
    """As COPY does it with the `.dockerignore`."""
    files = [path for path in source.rglob("*") if path.is_file()] if source.is_dir() else [source]
    for path in files:
        if dockerfile.sent(str(path.relative_to(ROOT))):
            place = target / path.relative_to(source) if source.is_dir() else target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _borrow(environment: Path) -> None:
    """Put the packages of the runtime lock, as they are installed here, into a fresh environment."""
    (target,) = environment.glob("lib/python*/site-packages")
    for name in needed(PROJECT["dependencies"]):
        for file in metadata.files(name) or []:
            place = target / file
            if ".." not in file.parts and not file.name.endswith(".pyc"):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(Path(str(file.locate())))
