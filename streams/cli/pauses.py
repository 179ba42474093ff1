"""`ringback pause` and `ringback resume`: have senders leave a partner or a postback alone, or call it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streams.cli import output, start
from streams.cli.output import printable
from streams.errors import RUNTIME, USAGE, Stop

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.config import Configuration
    from schemas.control import Records, Target, TargetKind
    from streams.settings import Settings

#: A reason is a line in a list.
LONGEST_REASON = 500

Kind = Annotated[
    bool | None,
    typer.Option("--partner/--postback", help="Which one is meant, when both have this id.", show_default=False),
]
Timeout = Annotated[float, typer.Option(help="Seconds to wait for Kafka.", min=0)]


def pause(
    name: Annotated[
        str,
        typer.Argument(metavar="[PARTNER|POSTBACK]", help="A partner's id or alias, or a postback's id."),
    ] = "",
    reason: Annotated[str, typer.Option(help="Why, for those who look at the list.", metavar="TEXT")] = "",
    of_partner: Kind = None,
    listed: Annotated[
        bool, typer.Option("--list", "-l", help="List what is paused or held, with the reason and until when.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The list as one object, for programs.")] = False,
    timeout: Timeout = 30.0,
) -> None:
    """Send nothing to a partner, or nothing of a postback.

    Jobs that wait stop too, within about a second; they are charged no attempt. Without a name, or with --list, it
    shows what is paused or held.
    """
    if listed or as_json or not name:
        if name or reason:
            raise Stop("--list takes no name and no reason: it shows all", exit_code=USAGE)
        _list(_site(timeout), as_json)
        return
    if len(reason) > LONGEST_REASON:
        raise Stop(f"--reason has {len(reason)} characters, at most {LONGEST_REASON} are kept", exit_code=USAGE)
    _pause(_site(timeout), name, of_partner, printable(reason), timeout)


def resume(
    name: Annotated[
        str, typer.Argument(metavar="PARTNER|POSTBACK", help="A partner's id or alias, or a postback's id.")
    ],
    of_partner: Kind = None,
    timeout: Timeout = 30.0,
) -> None:
    """Call a partner again, or send a postback again.

    Ends a pause, be it an operator's or one after a 410, and a hold that a partner asked for with Retry-After.
    The exit status is 1 when the postback stays paused by its configuration.
    """
    from schemas.control import encode
    from streams.config import control
    from streams.delivery.sender import PAUSED_TIERS
    from streams.delivery.tiers import Tiers
    from streams.pauses import listing, words

    site = _site(timeout)
    target = _target(site, name, of_partner, also_written=True)
    was = site.records.of(target)
    # Also when the topic says nothing: a sender may hold what it could not write, and lets go when it is told.
    control.write_records(site.settings, [encode(target, None, "hold"), encode(target, None)], max(timeout, 1.0))
    paused_for = site.now - was.since if was is not None and was.since is not None else 0
    looks = Tiers().within(PAUSED_TIERS, paused_for // 2)
    told = words.resumed(target, was, site.configuration, site.now, looks)
    _tell(told)
    for line in words.left(target, site.records, site.configuration, site.now):
        output.say(printable(line))
    if was is None and target in listing.configured_pauses(site.configuration):
        raise typer.Exit(RUNTIME)


class _Site(NamedTuple):
    """What an operator's command looks at."""

    settings: Settings
    configuration: Configuration | None
    records: Records
    now: int


def _site(timeout: float) -> _Site:
    """Raises `Stop` when Kafka is away or the control topic missing."""
    from streams.cli.configuration import current
    from streams.clock import SystemClock
    from streams.config import control

    settings = start.settings()
    configuration = current(settings, start.reach(settings, timeout), timeout)
    return _Site(settings, configuration, control.read_records(settings, max(timeout, 1.0)), SystemClock().now())


def _target(site: _Site, name: str, of_partner: bool | None, *, also_written: bool) -> Target:
    from streams.pauses.naming import Unclear, find

    kind: TargetKind | None = None if of_partner is None else "partner" if of_partner else "postback"
    found = find(name, site.configuration, kind, site.records.targets() if also_written else ())
    if isinstance(found, Unclear):
        raise Stop(printable(found.message), printable(found.remedy), USAGE)
    return found


def _pause(site: _Site, name: str, of_partner: bool | None, reason: str, timeout: float) -> None:
    from schemas.control import Control, encode
    from streams.config import control
    from streams.pauses import words

    target = _target(site, name, of_partner, also_written=False)
    known = site.records.of(target)
    if known is not None and known.paused and reason in ("", known.reason):
        _tell([words.already(target, known)])
        return
    since = known.since if known is not None and known.paused else site.now
    written = Control(paused=True, reason=reason, since=since)
    control.write_records(site.settings, [encode(target, written)], max(timeout, 1.0))
    if known is not None and known.paused:
        _tell([words.already(target, known), f"its reason is now: {reason}"])
        return
    assert site.configuration is not None
    _tell(words.paused(target, site.configuration))


def _tell(lines: Iterable[str]) -> None:
    """The first line is the result, the others say what follows."""
    first, *others = lines
    print(printable(first), flush=True)
    for line in others:
        output.say(printable(line))


def _list(site: _Site, as_json: bool) -> None:
    from streams.pauses import listing, words

    rows = listing.in_force(site.records, site.configuration, site.now)
    if as_json:
        import msgspec

        report = [
            {
                "kind": row.target.kind,
                "id": row.target.id,
                "state": row.state,
                "since": row.since,
                "until": row.until,
                "reason": row.reason,
                "configured": row.configured,
            }
            for row in rows
        ]
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    elif rows:
        print(output.table(words.HEADER, [[printable(cell) for cell in words.cells(row)] for row in rows]))
    else:
        output.say("nothing is paused or held")
