"""What `ringback plan --history` found, in words, as a table, and for programs."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas import decision
from streams.cli import output

if TYPE_CHECKING:
    from schemas.config import Configuration
    from schemas.job import Request
    from streams.replay.compare import Example, Postback
    from streams.replay.history import History

COLUMNS = ("before", "after", "more", "fewer", "changed")
#: Widths, so that a line of the table has at most 80 characters.
NAME_WIDTH, NUMBER_WIDTH = 30, 9
#: From here on a number is told in millions.
MANY = 10_000_000
INDENT = "  "
WIDTH = 80
TELL_SECONDS = 0.5

#: What a postback's status was and would be → what to know of its jobs. Without a status it has none on that side.
SHADOWS = {
    ("shadow", "active"): "{name} leaves the shadow: its {after} would be sent; until now none is",
    ("active", "shadow"): "{name} goes into shadow: its {after} would be decided, and no longer sent",
    ("shadow", "shadow"): "{name} is in shadow, and stays there: its jobs are decided, and not sent",
    ("shadow", None): "{name} is in shadow: none of its jobs is sent",
    (None, "shadow"): "{name} would be in shadow: its {after} would be decided, and not sent",
}

STATE = (
    "the topics no longer hold their beginnings: devices whose first records were there look new here, on both sides"
)


def history(found: History, asked: str, live: Configuration | None, new: Configuration) -> Iterator[str]:
    """The lines of the comparison, without what is told on the side. `asked`: the history as the user wrote it."""
    yield f"Jobs of the last {asked} ({_number(found.compared, 'record')}), as things are and as they would be:"
    yield ""
    shadows = {name: said for name, row in sorted(found.postbacks.items()) if (said := _shadow(name, row, live, new))}
    rows = {name: row for name, row in sorted(found.postbacks.items()) if not row.is_same or name in shadows}
    for said in shadows.values():
        yield from _wrapped(said, WIDTH)
    if shadows:
        yield ""
    if not rows:
        same = sum(row.before for row in found.postbacks.values())
        yield f"nothing would change: {'the same ' if same else ''}{_number(same, 'job')}, to the last byte"
        return
    yield _line("postback", COLUMNS)
    for name, row in rows.items():
        yield _line(name, [_count(getattr(row, column)) for column in COLUMNS])
    others = [row for name, row in found.postbacks.items() if name not in rows]
    if others:
        jobs = _number(sum(row.before for row in others), "job")
        yield f"nothing changes for {_number(len(others), 'other postback')} ({jobs})"
    for name, row in rows.items():
        there = {"before": _status(live, name) is not None, "after": _status(new, name) is not None}
        if any(row.examples.values()):
            yield ""
        yield from _examples(name, row, there)


def _wrapped(said: str, width: int) -> list[str]:
    """Names stay whole, hyphens and all."""
    return textwrap.wrap(said, width, subsequent_indent=INDENT, break_on_hyphens=False)


def _count(number: int) -> str:
    return f"{number:,}" if number < MANY else f"{number / 1e6:,.1f}M"


def _line(name: str, cells: Any) -> str:
    name = output.printable(name)
    if len(name) > NAME_WIDTH:
        name = name[: NAME_WIDTH - 1] + "…"
    return (name.ljust(NAME_WIDTH) + "".join(f" {cell:>{NUMBER_WIDTH}}" for cell in cells)).rstrip()


def _shadow(name: str, row: Postback, live: Configuration | None, new: Configuration) -> str | None:
    """What to know of a postback that is in shadow on one side: its jobs are decided there, and are no requests."""
    was, will = (None if status == "paused" else status for status in (_status(live, name), _status(new, name)))
    said = SHADOWS.get((was, will))
    if said is None or not (row.before or row.after) or (was == will and row.is_same):
        return None
    before, after = _number(row.before, "job"), _number(row.after, "job")
    return said.format(name=output.printable(name), before=before, after=after)


def _status(configuration: Configuration | None, name: str) -> str | None:
    """A postback's status; None when there is no such postback."""
    found = (one.status for one in configuration.postbacks if one.id == name) if configuration else iter(())
    return next(found, None)


def _examples(name: str, row: Postback, there: Mapping[str, bool]) -> Iterator[str]:
    """`there`: whether each of the two configurations has the postback at all."""
    for what, some in row.examples.items():
        if not some:
            continue
        count = getattr(row, what)
        such = "such as" if count > len(some) else "these"
        words = f"{count:,} {what}" if what != "changed" else f"{count:,} with another request"
        yield f"{output.printable(name)}, {words}, {such}:"
        for one in some:
            yield f"{INDENT}{output.printable(f'{one.record_id} of {one.device_key} ({one.event})')}"
            yield from (f"{2 * INDENT}{line}" for line in _requests(one, there))


def _requests(one: Example, there: Mapping[str, bool]) -> Iterator[str]:
    from streams.replay.compare import differences

    if one.before is None or one.after is None:
        for word, side, request in (("was", "before", one.before), ("now", "after", one.after)):
            if request is not None:
                yield output.printable(f"{word} {_told(request)}")
            elif there[side] and one.why is not None:
                told = f"{word} none: {decision.NOES.get(one.why) or decision.RESULTS[one.why]} ({one.why})"
                yield from _wrapped(told, WIDTH - 2 * len(INDENT))
        return
    for part, was, now in differences(one.before, one.after):
        name = "" if part == "url" else f"{part} "
        yield output.printable(f"{name}was {was or 'none'}")
        yield output.printable(f"{name}now {now or 'none'}")


def _told(request: Request) -> str:
    from streams.replay.compare import written

    return f"{request.method} {written(request.url)}"


def aside(found: History, new: Configuration) -> Iterator[str]:
    """What else to know of it."""
    rate = found.records / found.seconds if found.seconds else 0
    first = f", the oldest of {_time(found.first)}" if found.first is not None else ""
    yield f"read {_number(found.records, 'record')}{first}, in {found.seconds:,.1f} s ({rate:,.0f}/s); sent nothing"
    if found.first is not None and found.first > found.since:
        yield "the topics hold less than was asked for"
    for topic in found.missing:
        needs = any(source.topic == topic for source in new.sources)
        hint = "; `ringback topics create`, after apply, makes it" if needs else ""
        yield f"the topic {topic} does not exist: taken as empty{hint}"
    if found.cut:
        yield STATE


def plain(found: History) -> dict[str, Any]:
    """For programs."""
    return {
        "since": _time(found.since),
        "first": None if found.first is None else _time(found.first),
        "records": found.records,
        "compared": found.compared,
        "seconds": round(found.seconds, 3),
        "missing_topics": list(found.missing),
        "beginnings_are_there": not found.cut,
        "postbacks": [
            {"id": name, **{column: getattr(row, column) for column in COLUMNS}, "examples": list(_plain_examples(row))}
            for name, row in sorted(found.postbacks.items())
        ],
    }


def _plain_examples(row: Postback) -> Iterator[dict[str, Any]]:
    for what, some in row.examples.items():
        for one in some:
            yield {
                "what": what,
                "record_id": one.record_id,
                "device_key": one.device_key,
                "event": one.event,
                "why": one.why,
                "before": _plain_request(one.before),
                "after": _plain_request(one.after),
            }


def _plain_request(request: Request | None) -> dict[str, Any] | None:
    from streams.replay.compare import PARTS

    return None if request is None else {name: text(request) for name, text in PARTS.items()}


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


class Progress:
    """How far a reading has come, on a terminal's standard error; elsewhere nothing."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()
        self._shown = False

    def __call__(self, records: int, total: int) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or now - self._told < TELL_SECONDS:
            return
        self._told, self._shown = now, True
        rate = records / (now - self._began)
        print(f"\r\x1b[Kringback: {records:,} of about {total:,} records, {rate:,.0f}/s", end="", file=sys.stderr)
        sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
