"""`/metrics`, `/healthz` and `/readyz` of a process, and what they read.

Ready: every condition that the process named is met (recovered, assigned, broker reachable, making progress). Healthy:
not stuck, so that a restart would not help. Neither says anything about a device.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from streams.errors import USAGE, Stop

#: Gives a reason when something is stuck, None otherwise. Called from the event loop: must not block.
Watch = Callable[[], str | None]


#: Told of every port that this process serves its probes on.
_LISTENERS: list[Callable[[int], None]] = []


def on_served(listener: Callable[[int], None]) -> None:
    """Have `listener` told of the ports that are bound from now on."""
    _LISTENERS.append(listener)


class Readiness:
    """Named conditions, set from any thread: ready when all are met. Those named at the start are not, at first."""

    def __init__(self, *conditions: str) -> None:
        self._unmet = dict.fromkeys(conditions, "starting")
        self._stuck = ""
        self._watches: list[Watch] = []

    def set(self, name: str, ok: bool, reason: str = "") -> None:
        """The condition `name` is met, or is not for this `reason`."""
        if ok:
            self._unmet.pop(name, None)
        else:
            self._unmet[name] = reason or "not met"

    def stuck(self, reason: str) -> None:
        """The process cannot go on and should be restarted. Empty: it can, after all."""
        self._stuck = reason

    def watch(self, watch: Watch) -> None:
        """Ask `watch` too, each time somebody asks for the health."""
        self._watches.append(watch)

    @property
    def ready(self) -> bool:
        return not self.unmet()

    @property
    def unmet_conditions(self) -> Collection[str]:
        """The names of the conditions that are not met; a stuck process is not among them. From any thread."""
        return self._unmet.keys()

    def unmet(self) -> dict[str, str]:
        """The conditions that are not met, with their reasons; a stuck process is not ready either."""
        unmet = dict(self._unmet)
        if stuck := self.why_stuck():
            unmet["healthy"] = stuck
        return unmet

    def why_stuck(self) -> str:
        """Why a restart is due; empty when it is not."""
        return self._stuck or next((reason for watch in self._watches if (reason := watch())), "")


class Probes:
    """A running probe server. `port` is the one that was bound, also when 0 was asked for."""

    def __init__(self, runner: web.AppRunner, port: int) -> None:
        self._runner = runner
        self.port = port

    async def close(self) -> None:
        """Stop serving; returns when the port is free."""
        await self._runner.cleanup()


async def serve(host: str, port: int, registry: CollectorRegistry, readiness: Readiness) -> Probes:
    """Serve the probes on `host:port` until closed. Raises `Stop` when the port cannot be bound."""

    async def health(request: web.Request) -> web.Response:
        stuck = readiness.why_stuck()
        return web.json_response({"healthy": not stuck, "reason": stuck or None}, status=503 if stuck else 200)

    async def ready(request: web.Request) -> web.Response:
        unmet = readiness.unmet()
        return web.json_response({"ready": not unmet, "unmet": unmet}, status=503 if unmet else 200)

    app = web.Application()
    app.router.add_get("/metrics", make_aiohttp_handler(registry))
    app.router.add_get("/healthz", health)
    app.router.add_get("/readyz", ready)
    # Signals are the process's own business, a few scrapes a minute need no access log, and nobody has a body to send.
    runner = web.AppRunner(app, access_log=None, handle_signals=False, lingering_time=0.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise Stop(
            f"the metrics port {host}:{port} cannot be opened: {error.strerror or error}",
            "choose another one (RINGBACK_METRICS_PORT, RINGBACK_SENDER_METRICS_PORT; 0 takes any that is free)",
            USAGE,
        ) from error
    bound = runner.addresses[0][1]
    for listener in _LISTENERS:
        listener(bound)
    return Probes(runner, bound)
