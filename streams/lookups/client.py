"""Asking a worker, from a command. Blocks; raises `Stop`."""

from __future__ import annotations

import http.client
import re
import socket
import time
from urllib.parse import urlsplit

import msgspec

from streams.errors import USAGE, Stop
from streams.settings import LOOKUP_URL

from . import access, answer
from .answer import Answer
from .routing import AGAIN_S, Asked

#: One try lasts at most so long, and may always last so long (seconds).
TRY_SECONDS, LEAST_S = 10.0, 0.05
#: The largest answer that is read.
LARGEST = 32 << 20
REMEDY = "--worker none reads Kafka instead"


class NoAnswer(Stop):
    """Nobody can tell it just now. Kafka can."""


class Refused(Stop):
    """The worker tells nothing to whoever asks with this token."""


class Worker:
    """A worker at this URL; it need not be the one that has what is asked for."""

    def __init__(self, url: str, token: str, group: str, within: float) -> None:
        """`group`: that of the workers that are meant (`worker_id`). `within`: for so many seconds an answer that is
        not there yet is asked for again. Raises `Stop`.
        """
        if not url or not re.fullmatch(LOOKUP_URL, url) or "{port}" in url:
            raise Stop(f"{url} is no URL of a worker", "write it as http://127.0.0.1:9470", USAGE)
        self.url = url.rstrip("/")
        self._token, self._group, self._within = token, group, within

    def ask(self, asked: Asked) -> Answer:
        """What it knows. Raises `NoAnswer` when it cannot be told within the time, `Refused`, or `Stop` when it never
        will.
        """
        deadline = time.monotonic() + self._within
        while True:
            status, body, again = self._once(asked, min(TRY_SECONDS, max(LEAST_S, deadline - time.monotonic())))
            if status in (200, 404) and (found := _answer(body)) is not None:
                if found.group != self._group:
                    raise NoAnswer(
                        f"the worker at {self.url} is of the group {found.group}, not {self._group}",
                        f"look at --worker, RINGBACK_LOOKUP_URL and RINGBACK_WORKER_ID; {REMEDY}",
                    )
                return found
            reason = _reason(body) or f"it answered with status {status}"
            if status in _FINAL:
                kind, remedy = _FINAL[status]
                raise kind(f"the worker at {self.url} refuses: {reason}", remedy, USAGE)
            if status != 503 or time.monotonic() + again > deadline:
                raise NoAnswer(f"the worker at {self.url} cannot tell it: {reason}", REMEDY)
            time.sleep(again)

    def _once(self, asked: Asked, within: float) -> tuple[int, bytes, float]:
        """Status and body of an answer within so many seconds, and in how many seconds to ask again."""
        deadline = time.monotonic() + within
        at = urlsplit(self.url)
        kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
        try:
            connection = kind(at.hostname or "", at.port, timeout=within)
            try:
                connection.connect()
                link = connection.sock
                link.settimeout(_left(deadline))
                connection.request("GET", at.path + asked.path, headers=access.credentials(self._token))
                reply = connection.getresponse()
                wait = reply.getheader("Retry-After", "")
                again = min(float(wait), 2.0 * AGAIN_S) if wait.isdecimal() else float(AGAIN_S)
                return reply.status, _body(reply, link, deadline), again
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(
                f"the worker at {self.url} does not answer: {getattr(error, 'strerror', None) or type(error).__name__}",
                f"look at --worker and RINGBACK_LOOKUP_URL; {REMEDY}",
            ) from error


#: Status → what it is, and what to do about it.
_FINAL: dict[int, tuple[type[Stop], str]] = {
    400: (Stop, "look at the key"),
    401: (Refused, "set RINGBACK_LOOKUP_TOKEN to the workers' own"),
    403: (Refused, "set RINGBACK_LOOKUP_TOKEN to the workers' own"),
}


def _left(deadline: float) -> float:
    """Seconds until then. Raises `TimeoutError`."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _body(reply: http.client.HTTPResponse, link: socket.socket, deadline: float) -> bytes:
    """As much of it as is read. A timeout is that of each read, so it is set anew: one that trickles ends too."""
    body = bytearray()
    while len(body) < LARGEST:
        link.settimeout(_left(deadline))
        if not (more := reply.read1(1 << 16)):
            break
        body += more
    return bytes(body)


def _answer(body: bytes) -> Answer | None:
    try:
        return answer.decode(body)
    except msgspec.MsgspecError:
        return None


def _reason(body: bytes) -> str:
    try:
        told = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return ""
    reason = str(told["reason"]) if isinstance(told, dict) and "reason" in told else ""
    return "".join(one for one in reason[:300] if one.isprintable())
