"""`ringback send-test`: one real request of a postback, its answer, and what the sender would make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from streams.cli import output, start
from streams.cli.output import printable
from streams.errors import RUNTIME, USAGE, Stop

if TYPE_CHECKING:
    from schemas.config import App, Configuration, Partner, Postback
    from schemas.job import Job
    from streams.cli.render import Shown
    from streams.delivery.outcome import Outcome
    from streams.postbacks.index import Index
    from streams.rendering.answer import No, Yes
    from streams.settings import Settings
    from streams.trial.verdict import Verdict


def send_test(
    postback: Annotated[str, typer.Argument(metavar="POSTBACK", help="The postback's id.")],
    record: Annotated[
        str,
        typer.Option(
            "--record",
            "-r",
            metavar="FILE",
            help="The record as JSON, or records of which the last is meant; - reads standard input. Default: an "
            "example that the postback fires on.",
        ),
    ] = "",
    url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Send it there instead. With a host only, such as http://127.0.0.1:8000, the postback's path and "
            "query stay. The secrets go there too.",
        ),
    ] = "",
    directory: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "--file",
            "-f",
            metavar="DIR",
            help="YAML files of postbacks instead of the live configuration; then Kafka is not needed.",
        ),
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the secrets that are sent!")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object, for programs.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for Kafka.", min=0)] = 30.0,
) -> None:
    """Send one real request of a postback, and show all of it.

    The request goes out as the sender would send it: the same rendering, address check, certificates and time-out.
    Nothing is written to Kafka, and no report counts it; its job id begins with `test-`. Pauses and limits do not
    count, nor does the postback's status. The exit status is 0 when the answer counts as delivered, otherwise 1.
    """
    import asyncio

    from streams.cli import render
    from streams.clock import SystemClock
    from streams.delivery.egress import Guard
    from streams.delivery.trying import send_once
    from streams.rendering.answer import No
    from streams.trial.verdict import verdict

    settings = start.settings()
    configuration = render.configured(settings, directory, timeout)
    wanted = render.postback_of(configuration, postback)
    now = SystemClock().now()
    answer = _answer(settings, configuration, wanted, record, url, now)
    if isinstance(answer, No):
        render.refuse(wanted, answer, as_json)
        raise typer.Exit(RUNTIME)
    partner = next(one for one in configuration.partners if one.id == wanted.partner)
    shown = render.request_of(answer.job, partner, 1, now, reveal)
    if isinstance(shown, No):
        render.refuse(wanted, shown, as_json)
        raise typer.Exit(RUNTIME)
    for line in _about(wanted, partner, answer, shown):
        output.say(printable(line))
    request, secrets = _finished(answer.job, partner, now)
    outcome = asyncio.run(send_once(Guard(settings.egress_allow), request, partner.timeout))
    ruled = verdict(answer.job, outcome, partner, SystemClock().now())
    hide = _hider({} if reveal else secrets)
    if as_json:
        _print(_report(answer.job, shown, outcome, ruled, hide))
    else:
        print("\n".join(_lines(shown, outcome, ruled, hide)))
    if ruled.remedy and not as_json:
        output.say(ruled.remedy)
    if not ruled.delivered:
        raise typer.Exit(RUNTIME)


def _answer(
    settings: Settings, configuration: Configuration, postback: Postback, file: str, url: str, now: int
) -> Yes | No:
    """The job of the record, or of the example. Raises `Stop`."""
    import uuid

    from streams.cli import render
    from streams.postbacks.index import Index
    from streams.templates.errors import TemplateErrors
    from streams.trial import aim

    aimed = aim.aimed(configuration, postback, url or None)
    try:
        index = Index(aimed, aim.ids(uuid.uuid4().hex))
    except TemplateErrors as wrong:
        raise Stop(
            printable(f"--url {url}: {wrong.errors[0].message}"), "write it as `url` of a postback", USAGE
        ) from None
    (tried,) = aimed.postbacks
    if file:
        return render.answer_of(settings, index, tried, render.records_of(settings, aimed, [file]), now)
    app = index.apps[tried.app]
    partner = next(one for one in aimed.partners if one.id == tried.partner)
    return _example(settings, index, tried, app, partner, now)


def _example(settings: Settings, index: Index, postback: Postback, app: App, partner: Partner, now: int) -> Yes | No:
    from streams.attribution.entry import Rejection
    from streams.engine.output import Limits
    from streams.rendering import answer
    from streams.rendering.history import History
    from streams.templates.request import compile_request
    from streams.trial import example

    macros = compile_request(postback.endpoint, partner.fields).macros
    history = History(index, settings.hold_limit)
    *before, last = example.records(postback, app, partner, now, macros)
    for number, record in enumerate(before, 1):
        history.take(record, number, now)
    entry = history.take(last, len(before) + 1, now)
    if isinstance(entry, Rejection):
        return answer.refused(entry)
    return answer.answer(index, postback, history.last(entry), now, Limits().job_bytes)


def _about(postback: Postback, partner: Partner, answer: Yes, shown: Shown) -> Iterator[str]:
    """What is about to happen."""
    from streams.settings import duration_text

    address = urlsplit(shown.url.partition("?")[0])
    yield (
        f"this sends a real request to {address.scheme}://{address.netloc}: {answer.job.event} of {partner.id}, "
        f"job {answer.job.job_id}, time-out {duration_text(partner.timeout)}"
    )
    if postback.status != "active":
        yield f"the postback's status is {postback.status}: the sender would send nothing now"
    if shown.hidden:
        yield f"shown without the secrets of {', '.join(shown.hidden)}; --reveal shows them"


def _finished(job: Job, partner: Partner, now: int) -> tuple[Any, Mapping[str, str]]:
    """The request as it is sent, and the secrets that are in it, by reference. Raises `Stop` when one has no value."""
    from streams.delivery import jobs, signing
    from streams.delivery.secrets import SecretMissing, Secrets
    from streams.templates.errors import Unrenderable
    from streams.templates.finish import finish

    resolve, used = Secrets(), dict[str, str]()

    def secret(reference: str) -> str:
        used[reference] = resolve(reference)
        return used[reference]

    try:
        request = finish(job.request, attempt=1, now=now, secret=secret)
        if partner.signing_secrets:
            request = signing.signed(request, job.job_id, now, partner.signing_secrets, secret)
        return jobs.identified(request, job.job_id), used
    except (SecretMissing, signing.Unusable) as missing:
        raise Stop(
            f"there is no value for {missing.reference} that can be used",
            "set it for this command, as the sender has it",
            RUNTIME,
        ) from missing
    except Unrenderable as error:
        raise Stop(f"the sender could not finish the request: {error}", "the job would become a dead letter") from None


def _hider(secrets: Mapping[str, str]) -> Callable[[str], str]:
    """A partner may repeat what it was sent."""
    from streams.delivery.echoes import Echoes

    echoes = Echoes()
    for reference, value in secrets.items():
        echoes.sent(reference, value)
    # All that is shown of an answer may be the beginning of more.
    return lambda text: echoes.hidden(text, False)


def _headers(outcome: Outcome, hide: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    from streams.trial.verdict import HEADERS

    wanted = {name.lower() for name in HEADERS}
    yield from ((name, printable(hide(value))) for name, value in outcome.headers if name.lower() in wanted)


def _lines(shown: Shown, outcome: Outcome, ruled: Verdict, hide: Callable[[str], str]) -> Iterator[str]:
    from streams.trial.verdict import phases

    yield "── request"
    yield _text(shown.whole.decode("utf-8", "replace").rstrip("\r\n"))
    yield f"── answer{_from(outcome)}"
    yield f"status {outcome.status}" if outcome.status is not None else "none"
    if outcome.error:
        yield f"error  {printable(outcome.error)}"
    for name, value in _headers(outcome, hide):
        yield f"{printable(name)}: {value}"
    if outcome.response:
        yield ""
        yield _text(hide(outcome.response))
    if found := list(phases(outcome)):
        yield "── time"
        width = max(len(meaning) for meaning, _ in found)
        for meaning, took in found:
            yield f"{meaning.ljust(width)}  {took:>8,.1f} ms"
    yield "── verdict"
    yield printable(ruled.told)


def _from(outcome: Outcome) -> str:
    if outcome.address is None:
        return ""
    reused = ", on a connection that was there" if outcome.reused else ""
    return f" from {printable(outcome.address)}{reused}"


def _text(text: str) -> str:
    """Several lines, of which none can move the cursor."""
    return "\n".join(printable(line.replace("\t", "    ")) for line in text.replace("\r\n", "\n").split("\n"))


def _report(job: Job, shown: Shown, outcome: Outcome, ruled: Verdict, hide: Callable[[str], str]) -> dict[str, Any]:
    import msgspec

    told = msgspec.structs.asdict(outcome)
    times = {name: value for name, value in told.items() if name.endswith("_ms") and value is not None}
    return {
        "postback_id": job.postback_id,
        "event": job.event,
        "job_id": job.job_id,
        "request": shown.whole.decode("utf-8", "replace"),
        "url": shown.url,
        "hidden": shown.hidden,
        "kind": outcome.kind,
        "status": outcome.status,
        "error": outcome.error,
        "address": outcome.address,
        "headers": [[name, hide(value)] for name, value in outcome.headers],
        "response": None if outcome.response is None else hide(outcome.response),
        "phases": times,
        "delivered": ruled.delivered,
        "verdict": ruled.told,
        "remedy": ruled.remedy,
    }


def _print(report: dict[str, Any]) -> None:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(report)).decode())
