"""Dead letters in words, as rows and for programs. Pure; what comes from topics is not yet safe to print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.dead_letter import REASONS, DeadLetter, Note
from schemas.job import Job
from schemas.receipt import Receipt
from streams.replay.compare import written

from .again import Refused, job_in
from .found import Found
from .groups import Counted, Group, Groups, group_of

GROUPS = ("REASON", "FROM", "COUNT", "OLDEST", "NEWEST", "EXAMPLE")
EACH = ("ADDRESS", "SINCE", "REASON", "FROM", "POSTBACK", "EVENT", "JOB", "DETAIL")
#: Widths of the columns of `EACH` but the last: lines are written as they are read, before all are known.
WIDTHS = (10, 20, 16, 12, 16, 16, 32)
#: So much of a detail, an answer or raw bytes is shown.
DETAIL, ANSWER, RAW = 100, 500, 500

#: What to do next, by reason.
ADVICE: dict[str, str] = {
    "attempts_used_up": "when the partner is well again, `ringback dlq replay {address}` sends it as it was decided; "
    "with --render by the current template",
    "no_retry_status": "the partner refused it for good: mend the postback and `apply`, then `ringback dlq replay "
    "{address} --render`",
    "unsendable": "the detail says what could not be sent: mend the postback and `apply`, then `ringback dlq replay "
    "{address} --render`",
    "poison": "no sender can work on it: see who writes into {topic}; `ringback dlq purge {address}` puts it away",
    "": "mend what writes {topic}, or its mapping in `sources`; then `ringback dlq replay {address}` puts the record "
    "into its topic once more",
    "null": "a tombstone stays one; `ringback dlq purge {address}` puts it away",
    "internal": "a mistake in Ringback: the worker's log has more; after an update `ringback dlq replay {address}`",
}


def time_of(at: int) -> str:
    """A time as people read it."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(at)


def short(text: str, most: int) -> str:
    """At most so many characters of it."""
    return text if len(text) <= most else text[: most - 1] + "…"


def group_row(group: Group, counted: Counted) -> list[str]:
    """A line of the groups."""
    address, letter = counted.example
    whose = group.whose if group.kind == "job" else f"{group.whose} (input)"
    example = f"{address} {short(_said(letter), DETAIL)}"
    return [group.reason, whose, f"{counted.count:,}", time_of(counted.oldest), time_of(counted.newest), example]


def group_plain(group: Group, counted: Counted) -> dict[str, Any]:
    """A group for programs."""
    address, letter = counted.example
    return {
        **group._asdict(),
        "count": counted.count,
        "oldest": time_of(counted.oldest),
        "newest": time_of(counted.newest),
        "example": {"address": str(address), "status": letter.status, "detail": letter.detail},
    }


def each_row(one: Found) -> list[str]:
    """A line of one letter."""
    letter = one.letter
    job = (letter.postback_id or "-", letter.event or "-", letter.job_id or "-")
    if letter.kind == "input":
        job = ("-", "-", f"{letter.partition}:{letter.offset}" if letter.offset >= 0 else "-")
    reason, whose = letter.reason, group_of(letter).whose
    return [str(one.address), time_of(letter.at), reason, whose, *job, short(_said(letter), DETAIL)]


def padded(cells: Sequence[str]) -> str:
    """A line whose columns stand as in `EACH`, where they are not longer."""
    return "  ".join([*(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=False)), cells[-1]])


def plain(one: Found) -> dict[str, Any]:
    """A letter for programs, without its raw bytes."""
    letter = one.letter
    told = {name: getattr(letter, name) for name in letter.__struct_fields__ if name not in ("key", "value", "at")}
    return {"address": str(one.address), "at": time_of(letter.at), **told}


def whole(one: Found, notes: Sequence[Note], attempts: Sequence[Receipt]) -> dict[str, Any]:
    """All of one for programs."""
    job = job_in(one.letter) if one.letter.kind == "job" else None
    return {
        **plain(one),
        "meaning": REASONS.get(one.letter.reason),
        "notes": [{"done": note.done, "at": time_of(note.at), "by": note.by} for note in notes],
        "job": msgspec.to_builtins(job) if isinstance(job, Job) else None,
        "key": _text(one.letter.key),
        "value": None if isinstance(job, Job) else _text(one.letter.value),
        "receipts": msgspec.to_builtins(list(attempts)),
        "next": advice(one, notes),
    }


def lines(one: Found, notes: Sequence[Note], receipts: Sequence[Receipt]) -> Iterator[str]:
    """All of one in words."""
    letter = one.letter
    meaning = REASONS.get(letter.reason)
    yield f"dead letter {one.address}: {letter.reason}" + (f", {meaning}" if meaning else "")
    yield _line("since", time_of(letter.at))
    yield _line("detail", short(_said(letter), 10 * DETAIL))
    place = f"{letter.topic} partition {letter.partition} offset {letter.offset}"
    yield _line("read from", place if letter.offset >= 0 else "what was held, or a state")
    job = job_in(letter) if letter.kind == "job" else None
    if isinstance(job, Job):
        yield from _job(job)
    else:
        yield from _raw(letter)
    ended = [one for one in receipts if one.kind == "terminal"]
    if attempts := [one for one in receipts if one.kind == "attempt"]:
        yield _line("attempts", "")
        for attempt in attempts:
            yield from _attempt(attempt)
    for end in ended:
        error = f", {end.error}" if end.error else ""
        yield _line("ended", f"{end.outcome} at {time_of(end.at)}{error}{' (a replay)' if end.replay else ''}")
    for note in notes:
        yield _line(note.done, f"at {time_of(note.at)} by {note.by}")
    yield _line("next", advice(one, notes))


def advice(one: Found, notes: Sequence[Note]) -> str:
    """What to do next."""
    if notes:
        return {
            "replayed": "nothing: what became of the replay is told by its receipts, and if it dies again it has "
            "another letter",
            "purged": "nothing: it was put away; it stays here until the topic lets it go",
        }[notes[-1].done]
    text = ADVICE.get(one.letter.reason, ADVICE[""])
    return text.format(address=one.address, topic=one.letter.topic or "the input")


def _job(job: Job) -> Iterator[str]:
    yield _line("job", f"{job.job_id}, of {job.postback_id} ({job.event}), partner {job.partner}, app {job.app_id}")
    yield _line("record", f"{job.record_id} of {job.device_key}")
    yield _line("decided", f"{time_of(job.decided_at)}, by generation {job.generation}")
    if job.replay:
        yield _line("replayed", f"{time_of(job.replayed_at)}: this letter is of the replay")
    yield _line("request", f"{job.request.method} {written(job.request.url)}")
    for name, parts in job.request.headers:
        yield _line("", f"{name}: {written(parts)}")
    if job.request.body is not None:
        yield _line("body", short(written(job.request.body), 10 * RAW))


def _raw(letter: DeadLetter) -> Iterator[str]:
    for name, value in (("key", letter.key), ("value", letter.value)):
        text = "none" if value is None else f"{len(value):,} bytes: {short(_text(value) or '', RAW)}"
        yield _line(name, text)


def _attempt(one: Receipt) -> Iterator[str]:
    took = "" if one.duration_ms is None else f" in {one.duration_ms:,.0f} ms"
    said = ", ".join(filter(None, (f"status {one.status}" if one.status is not None else "", one.error or "")))
    replay = " (a replay)" if one.replay else ""
    address = f" ({one.address})" if one.address else ""
    yield _line("", f"{one.attempt}{replay} at {time_of(one.at)}: {one.outcome}, {said or 'no answer'}{took}{address}")
    if one.response:
        yield _line("", f"  answer: {short(one.response, ANSWER)}")


def _line(name: str, text: str) -> str:
    return f"  {name:<11} {text}"


def _said(letter: DeadLetter) -> str:
    """The status, where the detail does not tell it, and the detail."""
    status = letter.status
    return letter.detail if status is None or str(status) in letter.detail else f"{status} {letter.detail}"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def preview(groups: Groups, jobs: int) -> Iterator[str]:
    """What an operator is about to act on."""
    for group, counted in groups.lines():
        whom = (
            f"{_number(counted.count, 'job')} to" if group.kind == "job" else f"{_number(counted.count, 'record')} of"
        )
        yield f"{whom} {group.whose} ({group.reason})"
    if jobs:
        yield f"{_number(jobs, 'job')} without an open dead letter"


def strangers(count: int, topic: str) -> str:
    """Records in the topic that are not ours."""
    are = "is no dead letter" if count == 1 else "are no dead letters"
    return f"{_number(count, 'record')} of {topic} {are}, and not of Ringback's making"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def refusal(count: int, examples: Sequence[tuple[str, Refused]], done: str) -> str:
    """Why some were not `done`."""
    names = ", ".join(name for name, _ in examples)
    return f"{count:,} not {done} ({names}{', …' if count > len(examples) else ''}): {examples[0][1]}"
