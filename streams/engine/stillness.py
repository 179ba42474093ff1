"""What ought to move and does not. Pure: told what is seen, and how long it has been looked at."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple


class Sign(NamedTuple):
    """Of something that ought to move: `token` is another one each time that it has, `what` it is that stands still."""

    token: Hashable
    what: str


class Verdict(NamedTuple):
    """`stuck`: what has stood still for too long (empty: nothing). `end`: for so long that the process must end."""

    stuck: str
    end: bool


class _Seen(NamedTuple):
    token: Hashable
    since: float


class Stillness:
    """`stuck_after`, and `stuck_exit` on top of it (0: never), are seconds of looking."""

    def __init__(self, stuck_after: float, stuck_exit: float) -> None:
        self._after, self._exit = stuck_after, stuck_exit
        self._seen: dict[str, _Seen] = {}

    def look(self, now: float, signs: Mapping[str, Sign]) -> Verdict:
        """Whatever is not among `signs` need not move now: it begins anew when it is seen again."""
        self._seen = {
            name: seen if (seen := self._seen.get(name)) and seen.token == sign.token else _Seen(sign.token, now)
            for name, sign in signs.items()
        }
        still = {name: now - seen.since for name, seen in self._seen.items()}
        longest = max(still, key=lambda name: still[name], default=None)
        if longest is None or still[longest] < self._after:
            return Verdict("", False)
        reason = f"{longest} {signs[longest].what} for {still[longest]:.0f} s"
        return Verdict(reason, bool(self._exit) and still[longest] >= self._after + self._exit)
