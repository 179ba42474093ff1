"""Whose state is asked for, where it lies, and who can tell it: this worker, another one, or nobody just now. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from streams import kafka
from streams.engine.holds import device_row
from streams.engine.stages import StageName, Unit
from streams.engine.users import user_row
from streams.settings import LOOKUP_URL

ROOT = "/v1/state/"
#: A worker that asks another one says so, and is not sent on again.
FORWARDED = "Ringback-Forwarded"
#: What a worker notes beside the offsets of a partition that it has, see `announced`.
NOTE = "lookups="
#: Seconds after which it is worth asking again.
AGAIN_S = 1

#: What can be asked for → the key of its row in the store.
ROWS: dict[StageName, Callable[[str], bytes]] = {"device": device_row, "user": user_row}
#: ... → the form of its key.
FORMS: dict[StageName, str] = {"device": "<app_id>|<identifier>", "user": "<project>|<user_id>"}

_ENCODED = re.compile(r"(?:[^%/?#]|%[0-9A-Fa-f]{2})+")


class Asked(NamedTuple):
    """A device or a user, by its key."""

    kind: StageName
    key: str

    @property
    def row(self) -> bytes:
        """The key of its row."""
        return ROWS[self.kind](self.key)

    @property
    def path(self) -> str:
        """Where a worker is asked for it."""
        return f"{ROOT}{self.kind}/{quote(self.key.encode('utf-8', 'surrogatepass'), safe='')}"

    def unit(self, partitions: Mapping[StageName, int]) -> Unit:
        """The partition that it lies in, of so many."""
        key = self.key.encode("utf-8", "surrogatepass")
        return Unit(self.kind, kafka.partition_of(key, partitions[self.kind]))


class Refusal(NamedTuple):
    """An answer that holds no state. `again`: the same question may be answered in a moment."""

    status: int
    reason: str
    again: bool = False


class Forward(NamedTuple):
    """Another worker has it."""

    url: str


def asked(path: str) -> Asked | Refusal:
    """What a request's path, as it was sent, asks for."""
    kind, slash, encoded = path.removeprefix(ROOT).partition("/")
    if not path.startswith(ROOT) or not slash or kind not in ROWS:
        return Refusal(404, f"there are {' and '.join(f'{ROOT}{one}/KEY' for one in ROWS)}")
    if not _ENCODED.fullmatch(encoded):
        return Refusal(400, "percent-encode the key: / as %2F, % as %25, | as %7C")
    try:
        key = unquote_to_bytes(encoded).decode()
    except UnicodeError:
        return Refusal(400, "the key is no UTF-8")
    form = FORMS[kind]
    return Asked(kind, key) if all(key.partition("|")[::2]) else Refusal(400, f"the key of a {kind} is {form}")


def here(unit: Unit, running: bool | None) -> Refusal | None:
    """Whether this worker tells the state itself; None: it does. `running`: of its own partition (None: it has not
    this one).
    """
    if running:
        return None
    if running is None:
        return Refusal(503, f"this worker does not have {unit} now: its workers are being assigned anew", again=True)
    return Refusal(503, f"{unit} is just being recovered", again=True)


def elsewhere(unit: Unit, noted: str | None, own: str, forwarded: bool) -> Forward | Refusal:
    """Who else can tell the state. `noted`: what stands beside the group's offsets of the partition (None: there are
    none). `own`: the URL of this worker. `forwarded`: it was asked by another worker, which took it for the owner.
    """
    url = announced(noted)
    if not forwarded and url and url != own:
        return Forward(url)
    if not forwarded and noted is not None and not url:
        return Refusal(421, f"the worker that has {unit} tells no state: give every worker of the group a lookup_port")
    return Refusal(503, f"it is not known yet which worker has {unit}", again=True)


def note(url: str) -> str:
    """What a worker with this URL notes beside the offsets that it commits; of none: nothing."""
    return NOTE + url if url else ""


def announced(noted: str | None) -> str:
    """The URL in such a note; empty when there is none. It is sent a token: whatever is not of the form of
    `lookup_url` is none.
    """
    url = (noted or "").removeprefix(NOTE)
    return url if url != noted and re.fullmatch(LOOKUP_URL, url) and "{" not in url else ""
