"""Times and statuses that somebody filters by, read in one way by every command. What cannot be read raises `Stop`."""

from __future__ import annotations

from collections.abc import Sequence

from streams.cli.output import printable
from streams.errors import USAGE, Stop

A_DAY = "2026-01-02"
A_TIME = "2026-01-02T03:04:05Z"


def since(written: str, now: int) -> int | None:
    """So long before `now`, or a time, in milliseconds; None when nothing is written."""
    from streams.settings import parse_duration

    try:
        return now - parse_duration(written)
    except ValueError:
        return moment("--since", written)


def moment(option: str, written: str) -> int | None:
    """A time, or the beginning of a day, in milliseconds; None when nothing is written."""
    from schemas import times

    if not written:
        return None
    is_day = len(written) == len(A_DAY) and written.count("-") == 2
    try:
        return times.parse(f"{written}T00:00:00Z" if is_day else written)
    except times.UnreadableTimeError:
        wanted = f"2h, or {A_TIME}" if option == "--since" else A_TIME
        raise Stop(f"{option} {printable(written)}: expected a time, such as {wanted}", exit_code=USAGE) from None


def statuses(written: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Inclusive ranges of HTTP statuses; of each option one or several, with commas."""
    return tuple(_status(one) for part in written for one in part.split(","))


def _status(written: str) -> tuple[int, int]:
    from streams.config.kinds import Statuses

    try:
        found: tuple[int, int] = Statuses().read(written.strip())
    except ValueError:
        raise Stop(f"--status {printable(written)}: write 404, 5xx or 500-599", exit_code=USAGE) from None
    return found
