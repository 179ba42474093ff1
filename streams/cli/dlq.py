"""`ringback dlq`: the dead letters, in groups or one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import letters, output, replaying, start
from streams.cli.explain import progress
from streams.cli.filters import filtered
from streams.cli.letters import Format, Timeout
from streams.cli.output import printable
from streams.errors import Stop

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from schemas.dead_letter import Note
    from schemas.receipt import Receipt
    from streams.letters.asked import Asked
    from streams.letters.found import Found
    from streams.letters.groups import Groups
    from streams.letters.reading import DeadLetters
    from streams.settings import Settings

app = typer.Typer(
    help="Dead letters: jobs that failed and input that cannot be read.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

As = Annotated[Format, typer.Option("--format", help="How to write it.")]


def ls(
    asked: Asked,
    each: Annotated[
        bool, typer.Option("--each", help="A line for each letter, with its address; as JSON, an object a line.")
    ] = False,
    as_: As = "table",
    timeout: Timeout = 30.0,
) -> None:
    """List dead letters, by reason and by partner or source topic.

    Those that were replayed or purged are left out.
    """
    from streams.letters.reading import DeadLetters

    loaded = start.settings()
    admin = start.reach(loaded, timeout)
    with progress() as tell:
        topic = DeadLetters(loaded, admin, tell)
        spans = topic.spans(asked)
        done = topic.done(spans)
        left = topic.letters(spans, done, asked)
        count = _each(left, as_) if each else _groups(left, as_)
    if not count:
        output.say(f"no dead letters{'' if asked.is_everything else ' that match'}; they are {topic.kept}")
        letters.doubt(loaded, admin, asked, timeout)
    aside(topic, done.counts)


app.command("ls")(filtered(ls, without=["names"]))


def aside(topic: DeadLetters, counts: dict[str, int]) -> None:
    """What else there is to know of what was read."""
    from streams.letters import shown

    said = [f"{count:,} {what}" for what, count in counts.items() if count]
    if said:
        output.say(f"left out: {' and '.join(said)}")
    if topic.strange:
        output.say(shown.strangers(topic.strange, topic.topic))


def _groups(left: Iterator[Found], as_: Format) -> int:
    from streams.letters.groups import Groups

    groups = Groups()
    for at, letter in left:
        groups.take(at, letter)
    if as_ == "json":
        print(_json(groups))
    elif groups.total:
        print(_table(groups))
    return groups.total


def _json(groups: Groups) -> str:
    import msgspec

    from streams.letters import shown

    told = [shown.group_plain(group, counted) for group, counted in groups.lines()]
    return msgspec.json.format(msgspec.json.encode(told)).decode()


def _table(groups: Groups) -> str:
    from streams.letters import shown

    rows = [[printable(cell) for cell in shown.group_row(*one)] for one in groups.lines()]
    return output.table(list(shown.GROUPS), rows)


def _each(left: Iterator[Found], as_: Format) -> int:
    import msgspec

    from streams.letters import shown

    count = 0
    for count, one in enumerate(left, 1):
        if as_ == "json":
            print(msgspec.json.encode(shown.plain(one)).decode())
            continue
        if count == 1:
            print(shown.padded(shown.EACH))
        print(shown.padded([printable(cell) for cell in shown.each_row(one)]))
    return count


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="ID|PARTITION:OFFSET", help="A job id, or a letter's address.")],
    as_: As = "table",
    timeout: Timeout = 30.0,
) -> None:
    """Show everything of a dead letter.

    Why, the job or record, each attempt, and what to do next. By a job's id: all its letters, done ones too.
    """
    from streams.letters import shown
    from streams.letters.reading import DeadLetters

    asked = letters.asked([name])
    loaded = start.settings()
    admin = start.reach(loaded, timeout)
    with progress() as tell:
        topic = DeadLetters(loaded, admin, tell)
        told = topic.story(topic.spans(asked), asked)
        if not told:
            raise _absent(name, topic)
        receipts = _receipts(loaded, admin, topic, [one for one, _ in told])
    if as_ == "json":
        import msgspec

        found = [shown.whole(one, notes, receipts.get(one.letter.job_id or "", [])) for one, notes in told]
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    for number, (one, notes) in enumerate(told):
        if number:
            print()
        _show(one, notes, receipts.get(one.letter.job_id or "", []))


def _show(one: Found, notes: list[Note], receipts: list[Receipt]) -> None:
    from streams.letters import shown

    for line in shown.lines(one, notes, receipts):
        print(printable(line))


def _absent(name: str, topic: DeadLetters) -> Stop:
    from streams.letters import found

    is_address = found.address(name) is not None
    what = f"there is no dead letter {name}" if is_address else f"job {printable(name)} has no dead letter"
    remedy = "`ringback dlq ls --each` lists letters with their addresses" + (
        ""
        if is_address
        else "; a job that ended otherwise is told by `ringback explain`, and sent again by `ringback dlq "
        "replay ID --again`"
    )
    return Stop(f"{what}; they are {topic.kept}", remedy)


def _receipts(loaded: Settings, admin: AdminClient, topic: DeadLetters, told: list[Found]) -> dict[str, list[Receipt]]:
    """The receipts of these letters' jobs, by id: they lie in the partition of the same number."""
    from schemas.config import DAY
    from schemas.job import Job
    from streams import kafka
    from streams.letters import again, ended

    ids = {one.letter.job_id for one in told if one.letter.job_id}
    if not ids:
        return {}
    jobs = [again.job_in(one.letter) for one in told if one.letter.kind == "job"]
    since = min((job.decided_at for job in jobs if isinstance(job, Job)), default=0) - DAY
    numbers = {one.address.partition for one in told}
    names = kafka.Topics(loaded.topic_prefix)
    found: dict[str, list[Receipt]] = {}
    for receipt in ended.receipts(topic.scanner, admin, names, ids, since, numbers):
        found.setdefault(receipt.job_id, []).append(receipt)
    return found


app.command("replay")(filtered(replaying.replay))
app.command("purge")(filtered(replaying.purge))
