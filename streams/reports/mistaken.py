"""What was asked for and is nowhere, neither in the configurations nor in the counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from schemas.report import ANY, CLAIMED, OF_USER, cut
from streams.attribution import events
from streams.reports.known import Known
from streams.reports.lines import Asked
from streams.reports.totals import Totals

_CLOSE = 0.6


def mistaken(asked: Asked, totals: Totals, known: Known) -> str | None:
    """Why nothing of that can have been counted, and what was probably meant; None when it could have been."""
    names, fired = known.names(), totals.fired
    seen = {name.removeprefix(CLAIMED) for counts in fired.values() for name in counts}
    places = (
        ("app", asked.app, names.apps | {one.app_id for one in fired}),
        ("partner", asked.partner, names.partners | {known.partner_of(one) for one in fired}),
        ("campaign", asked.campaign, names.campaigns | set(_campaigns(totals))),
        ("event", asked.event, names.events | seen | {row.name for row in events.TABLE if events.NAME not in row.name}),
    )
    for what, wanted, there in places:
        if wanted is not None and cut(wanted) not in map(cut, there):
            if what == "event" and (custom := _uncounted(wanted)):
                return custom
            return f"no such {what}: {wanted}" + _meant(wanted, there)
    return None


def _campaigns(totals: Totals) -> Iterator[str]:
    for fired in totals.fired:
        yield from filter(None, (fired.campaign_id, fired.campaign_name))
    for _, campaign in totals.by_campaign:
        yield from filter(None, campaign)


def _uncounted(wanted: str) -> str | None:
    """A custom event may exist, and have no count of its own."""
    family, colon, _ = wanted.partition(":")
    if not colon or wanted.endswith(OF_USER) or events.parse(wanted) is None:
        return None
    return f"{wanted} has no count of its own: custom events that no postback fires on are counted as {family}:{ANY}"


def _meant(wanted: str, there: Iterable[str]) -> str:
    folded = {name.casefold(): name for name in sorted(there)}
    near = get_close_matches(wanted.casefold(), folded, n=1, cutoff=_CLOSE)
    return f"; did you mean {folded[near[0]]}?" if near else ""
