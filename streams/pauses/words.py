"""What a pause or its end comes to, in sentences for operators. Pure.

How many jobs wait is not known exactly to anybody but the senders' metrics, so it is not told here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.config import Configuration, Partner
from schemas.control import Control, Records, Target
from schemas.times import text as moment
from streams.pauses.listing import CONFIGURED, Row, is_held
from streams.settings import duration_text

HEADER = ("what", "id", "state", "since", "until", "reason")
#: So many names are listed.
LISTED = 5


def paused(target: Target, configuration: Configuration) -> Iterator[str]:
    """What follows from the pause that was just written."""
    whose = ""
    if target.kind == "partner":
        ids = [one.id for one in configuration.postbacks if one.partner == target.id]
        whose = f": {_count(len(ids), 'postback')} ({_listed(ids)})" if ids else ": it has no postbacks"
    yield f"the {target.kind} {target.id} is paused{whose}"
    yield "senders stop within about a second, jobs that wait included; what is under way ends"
    partner = _partner_of(target, configuration)
    if partner is not None:
        yield (
            "no attempt is charged; a job that is not sent within "
            f"{duration_text(partner.max_age)} of its decision (max_age) ends as expired"
        )


def already(target: Target, control: Control) -> str:
    """It was paused before, and nothing was written."""
    return f"the {target.kind} {target.id} is paused already{_known(control)}"


def resumed(
    target: Target, was: Control | None, configuration: Configuration | None, now: int, again: int
) -> Iterator[str]:
    """What follows from the end of what was in force. `again`: within so many milliseconds paused jobs are looked at
    again.
    """
    if was is None or not (was.paused or is_held(was, now)):
        yield f"the {target.kind} {target.id} is neither paused nor held"
        return
    held = f", held until {moment(was.hold_until or 0)}" if is_held(was, now) else ""
    if was.paused:
        yield f"the {target.kind} {target.id} is resumed; it was paused{_known(was)}{held}"
    else:
        yield f"the {target.kind} {target.id} is resumed; it was{held.removeprefix(',')}{_known(was)}"
    partner = _partner_of(target, configuration)
    if partner is None:
        yield f"it is not in the configuration: a job of such a {target.kind} is not held back by this"
        return
    if was.paused:
        yield f"jobs that waited go on within {duration_text(again)}, at the partner's limit: {_limit(partner)}"
    if held:
        yield "jobs that have been given a time after the hold are sent at that time; new ones at once"


def left(target: Target, records: Records, configuration: Configuration | None, now: int) -> Iterator[str]:
    """What still keeps it from being called, or some of it, after it was resumed."""
    if configuration is None:
        return
    for postback in configuration.postbacks:
        one = Target("postback", postback.id)
        if target in (one, Target("partner", postback.partner)):
            if postback.status == "paused":
                yield f"the postback {one.id} stays paused by its configuration: set `status: active` and apply it"
            if target != one and (control := records.of(one)) and (control.paused or is_held(control, now)):
                yield f"the postback {one.id} stays paused: `ringback resume {one.id}`"
        if target == one:
            control = records.of(Target("partner", postback.partner))
            if control is not None and control.paused:
                yield f"its partner {postback.partner} is paused{_known(control)}: `ringback resume {postback.partner}`"


def cells(row: Row) -> Sequence[str]:
    """The row in the columns of `HEADER`."""
    return (
        row.target.kind if row.configured else f"{row.target.kind} (gone)",
        row.target.id,
        row.state,
        "" if row.since is None else moment(row.since),
        _until(row),
        row.reason,
    )


def _until(row: Row) -> str:
    if row.until is not None:
        return moment(row.until)
    return "apply" if row.reason == CONFIGURED else "resume"


def _known(control: Control) -> str:
    since = "" if control.since is None else f" since {moment(control.since)}"
    return since + (f" ({control.reason})" if control.reason else "")


def _limit(partner: Partner) -> str:
    rate = "" if partner.rate_limit is None else f"{partner.rate_limit:g}/s, "
    return f"{rate}{partner.max_in_flight} at once"


def _partner_of(target: Target, configuration: Configuration | None) -> Partner | None:
    if configuration is None:
        return None
    wanted = target.id
    if target.kind == "postback":
        wanted = next((one.partner for one in configuration.postbacks if one.id == target.id), "")
    return next((one for one in configuration.partners if one.id == wanted), None)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more:,} more" if more > 0 else "")
