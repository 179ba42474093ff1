"""Who may ask: the rules for host, token and URL. Raises `Stop` for settings that would tell devices to strangers."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from streams.errors import USAGE, Stop
from streams.settings import Settings

from .routing import Refusal

BEARER = "Bearer "


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check(settings: Settings) -> None:
    """Raises `Stop` when others than this machine could ask without a token."""
    if settings.lookup_port is None or settings.lookup_token.get_secret_value():
        return
    if not is_loopback(settings.lookup_host):
        where, instead = settings.lookup_host, "RINGBACK_LOOKUP_HOST=127.0.0.1"
    elif settings.lookup_url and not is_loopback(_host(settings.lookup_url)):
        # A proxy that others reach asks from this machine.
        where, instead = settings.lookup_url, "no RINGBACK_LOOKUP_URL"
    else:
        return
    raise Stop(
        f"look-ups on {where} would tell the state of every device to whoever asks",
        "give all workers and whoever asks them one secret of at least 16 characters (RINGBACK_LOOKUP_TOKEN), or take "
        + instead,
        USAGE,
    )


def _host(url: str) -> str:
    """That of a URL; empty when it has none that can be read."""
    try:
        return urlsplit(url.replace("{port}", "")).hostname or ""
    except ValueError:
        return ""


def own_url(settings: Settings, port: int, machine: str) -> str:
    """What others reach this worker under; `machine`: its name, for one that listens on all addresses."""
    if settings.lookup_url:
        return settings.lookup_url.replace("{port}", str(port)).rstrip("/")
    host = settings.lookup_host.strip("[]")
    if host in ("0.0.0.0", "::", ""):
        host = machine
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def asked_url(settings: Settings, machine: str) -> str:
    """What a command asks that was told nothing else; empty: none."""
    if settings.lookup_port or (settings.lookup_url and "{port}" not in settings.lookup_url):
        return own_url(settings, settings.lookup_port or 0, machine)
    return ""


def refused(headers: Mapping[str, str], token: str) -> Refusal | None:
    """Why a request is refused; None: it may ask."""
    if not token:
        # A page in a browser of this machine can be made to ask under a name of its own.
        host = headers.get("Host", "").rpartition(":")[0] or headers.get("Host", "")
        return None if is_loopback(host) else Refusal(403, "without a token this worker is asked by 127.0.0.1 only")
    given = headers.get("Authorization", "")
    if not given.startswith(BEARER):
        return Refusal(401, "a token is needed: Authorization: Bearer …")
    ours = hmac.compare_digest(given.removeprefix(BEARER).encode("utf-8", "replace"), token.encode())
    return None if ours else Refusal(403, "that is not the token")


def credentials(token: str) -> dict[str, str]:
    """The header that shows it."""
    return {"Authorization": BEARER + token} if token else {}
