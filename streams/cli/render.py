"""`ringback render`: the request that a record makes of a postback, byte for byte, or why it makes none."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import typer

from streams.cli import output, start
from streams.errors import RUNTIME, USAGE, Stop

if TYPE_CHECKING:
    from schemas.config import Configuration, Partner, Postback
    from schemas.job import Job
    from streams.postbacks.index import Index
    from streams.rendering.answer import No, Yes
    from streams.rendering.values import Found
    from streams.settings import Settings


def render(
    postback: Annotated[str, typer.Argument(metavar="POSTBACK", help="The postback's id.")],
    record: Annotated[
        str,
        typer.Option(
            "--record",
            "-r",
            metavar="FILE",
            help="The record as JSON, or records of which the last is meant; - reads standard input.",
        ),
    ],
    before: Annotated[
        list[str] | None,
        typer.Option(
            "--install", metavar="FILE", help="Records that come before, such as the install; may be repeated."
        ),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="DIR",
            help="YAML files of postbacks instead of the live configuration. (The settings file goes before the "
            "command: `ringback --config FILE render`.)",
        ),
    ] = None,
    attempt: Annotated[int, typer.Option(help="Which attempt it is.", min=1, max=11)] = 1,
    now: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When it is decided and sent (default: now); RFC 3339 or Unix time."),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Put the secrets in; they are shown!")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object, for programs.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for Kafka.", min=0)] = 30.0,
) -> None:
    """Show the request that a record makes of a postback.

    It is shown byte for byte, and nothing is sent. The record goes through the rules that the worker has; records
    before it make its device's history. Instead of each secret stands its reference. When the record gives no job for
    the postback, it says why, and the exit status is 1.
    """
    from streams.postbacks.index import Index
    from streams.rendering.answer import No

    settings = start.settings()
    moment = _moment(now)
    configuration = configured(settings, directory, timeout)
    wanted = postback_of(configuration, postback)
    found = records_of(settings, configuration, [*(before or []), record])
    index = Index(configuration)
    _tell_identity(found[-1].found.record)
    answer = answer_of(settings, index, wanted, found, moment)
    partner = next(one for one in configuration.partners if one.id == wanted.partner)
    shown = answer if isinstance(answer, No) else request_of(answer.job, partner, attempt, moment, reveal)
    if isinstance(shown, No):
        refuse(wanted, shown, as_json)
        raise typer.Exit(RUNTIME)
    assert not isinstance(answer, No)
    _show(wanted, answer, shown, as_json)


def _moment(written: str | None) -> int:
    from schemas import times
    from streams.clock import SystemClock

    if written is None:
        return SystemClock().now()
    try:
        return times.parse(written)
    except times.UnreadableTimeError:
        raise Stop(f"--now {written}: is not a time", "write it as 2026-01-31T00:00:00Z", USAGE) from None


def configured(settings: Settings, directory: Path | None, timeout: float) -> Configuration:
    """The files of a directory, or the live configuration. Raises `Stop`."""
    from streams.cli.configuration import current
    from streams.config import apply as room

    if directory is not None:
        return room.load(settings, directory)
    configuration = current(settings, start.reach(settings, timeout), timeout)
    if configuration is None:
        raise Stop(
            "nothing is applied yet",
            "`ringback apply DIR` puts a configuration in force; --config DIR does without",
            USAGE,
        )
    return configuration


def postback_of(configuration: Configuration, name: str) -> Postback:
    """The postback of this id. Raises `Stop` with the nearest one when there is none."""
    from streams.config.problems import did_you_mean

    known = {postback.id: postback for postback in configuration.postbacks}
    if name not in known:
        raise Stop(
            f"there is no postback {name}",
            did_you_mean(name, known) or f"postbacks are {', '.join(known) or 'none'}",
            USAGE,
        )
    return known[name]


class _Named(NamedTuple):
    """A record and the file that it is from."""

    file: str
    found: Found


def records_of(settings: Settings, configuration: Configuration, files: Sequence[str]) -> list[_Named]:
    """The records of all files. Raises `Stop` when a file has none or cannot be read."""
    from streams.rendering.values import Reader
    from streams.sources import files as room

    reader = Reader(configuration.sources, settings.max_record_bytes)
    records: list[_Named] = []
    for name in files:
        opened = room.Input(name)
        try:
            found = [_Named(opened.name, one) for one in reader.read(room.whole(opened))]
        finally:
            opened.close()
        if not found:
            raise Stop(f"{opened.name} holds no record", "a record is a JSON object", USAGE)
        records += found
    return records


def answer_of(settings: Settings, index: Index, postback: Postback, records: Sequence[_Named], now: int) -> Yes | No:
    """What the last record makes of the postback. Raises `Stop` when one before it is none."""
    from streams.attribution.entry import Rejection
    from streams.engine.output import Limits
    from streams.rendering import answer
    from streams.rendering.history import History
    from streams.sources.decode import Rejected

    history = History(index, settings.hold_limit)
    for number, (file, (place, record)) in enumerate(records, 1):
        taken = record if isinstance(record, Rejected) else history.take(record, number, now)
        last = number == len(records)
        if isinstance(taken, Rejected | Rejection):
            if last:
                return answer.refused(taken)
            raise Stop(
                f"{file}: record {place} cannot be used: {taken.reason}: {taken.detail}",
                "mend it, or leave it out",
                USAGE,
            )
        if last:
            limit = min(settings.max_record_bytes, Limits().job_bytes)
            return answer.answer(index, postback, history.last(taken), now, limit)
    raise LookupError("no records")


def _tell_identity(record: Any) -> None:
    """A job's id is made of the record's id and own time."""
    from streams.sources.decode import Rejected

    if isinstance(record, Rejected):
        return
    if not record.id:
        output.say("the record has no id: the job's id will be another one, made of the record's place in Kafka")
    elif not (getattr(record, "event_timestamp", None) or getattr(record, "install_timestamp", None)):
        output.say("the record has no time of its own: the job's id will be another one, made of its append time")


class Shown(NamedTuple):
    """A request as it may be shown, whole and in its parts. `hidden` are the references whose secrets are left out."""

    whole: bytes
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: str | None
    hidden: list[str]
    attempt: int


def request_of(job: Job, partner: Partner, attempt: int, now: int, reveal: bool) -> Shown | No:
    """The request of an attempt. Raises `Stop` when there is no such attempt, or when a secret has no value."""
    from schemas import dead_letter
    from streams.delivery import jobs, signing
    from streams.delivery.secrets import SecretMissing, Secrets
    from streams.delivery.written import written
    from streams.rendering.answer import No
    from streams.templates import masking
    from streams.templates.finish import Unrenderable, finish

    attempts = job.retry_attempts + 1
    if attempt > attempts:
        raise Stop(
            f"--attempt {attempt}: {job.postback_id} has only {attempts}, the first and `retry_attempts` more",
            f"choose one of 1 to {attempts}",
            USAGE,
        )
    masked = masking.Masked(job.request, {}, ()) if reveal else masking.mask(job.request)
    try:
        finished = finish(masked.request, attempt=attempt, now=now, secret=Secrets())
        if partner.signing_secrets and reveal:
            finished = signing.signed(finished, job.job_id, now, partner.signing_secrets, Secrets())
        elif partner.signing_secrets:
            finished = signing.masked(finished, job.job_id, now, partner.signing_secrets)
        raw = written(jobs.identified(finished, job.job_id))
    except (SecretMissing, signing.Unusable) as missing:
        raise Stop(
            f"there is no value for {missing.reference} that can be used",
            "set it for this command, or leave --reveal out",
            RUNTIME,
        ) from missing
    except Unrenderable as error:
        return No("unsendable", dead_letter.REASONS["unsendable"], str(error))
    head, _, body = raw.partition(b"\r\n\r\n")
    if any(word.encode() in body for word in masked.shown):
        # How long it will be, only the secret could tell.
        head = _without_length(head)
    texts = [masking.unmask(part.decode("utf-8", "surrogateescape"), masked.shown) for part in (head, body)]
    lines = texts[0].split("\r\n")[1:]
    return Shown(
        whole="\r\n\r\n".join(texts).encode("utf-8", "surrogateescape"),
        method=finished.method,
        url=masking.unmask(finished.url, masked.shown),
        headers=[(name, value) for name, _, value in (line.partition(": ") for line in lines)],
        body=texts[1] if finished.body is not None else None,
        hidden=list(dict.fromkeys([*masked.hidden, *([] if reveal else partner.signing_secrets)])),
        attempt=attempt,
    )


def _without_length(head: bytes) -> bytes:
    return b"\r\n".join(
        b"Content-Length: ?" if line.lower().startswith(b"content-length:") else line for line in head.split(b"\r\n")
    )


def refuse(postback: Postback, no: No, as_json: bool) -> None:
    """Say why there is no job."""
    if as_json:
        _print({"postback_id": postback.id, **no._asdict()})
        return
    output.say(f"no job for {postback.id}: {no.meaning} ({no.reason})")
    if no.detail:
        print(f"  {no.detail}", file=sys.stderr)


def _show(postback: Postback, answer: Yes, shown: Shown, as_json: bool) -> None:
    job = answer.job
    if as_json:
        _print(
            {
                "postback_id": postback.id,
                "event": job.event,
                "goes_by": answer.source,
                "record_id": job.record_id,
                "job_id": job.job_id,
                "shadow": job.shadow,
                "due_after": job.due_at - job.decided_at,
                **{name: value for name, value in shown._asdict().items() if name != "whole"},
                "request": shown.whole.decode("utf-8", "replace"),
            }
        )
        return
    for line in _about(answer, shown):
        output.say(line)
    if sys.stdout.isatty():
        # What a record brought must not move the cursor.
        text = shown.whole.decode("utf-8", "replace").replace("\r\n", "\n")
        print("".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(shown.whole)
    sys.stdout.buffer.flush()


def _about(answer: Yes, shown: Shown) -> Iterator[str]:
    from streams.settings import duration_text

    job = answer.job
    address = urlsplit(shown.url.partition("?")[0])
    of = f"attempt {shown.attempt} of {job.retry_attempts + 1}"
    yield f"{job.event}, {of}, to {address.scheme}://{address.netloc}"
    yield answer.source
    if job.due_at > job.decided_at:
        yield f"it is sent {duration_text(job.due_at - job.decided_at)} after it is decided"
    if job.shadow:
        yield "the postback is in shadow: it is decided and reported, and never sent"
    if shown.hidden:
        yield f"without the secrets of {', '.join(shown.hidden)}; --reveal puts them in"


def _print(answer: dict[str, Any]) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(answer)).decode())
