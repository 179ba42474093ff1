"""What the configurations say of the names in the counts: whose a source is, and which derived events a postback is
addressed by. Pure.

Long names are compared as rows have them, cut.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from schemas.config import Configuration, Partner, Postback
from schemas.report import ANY, CLAIMED, cut
from streams.attribution.events import NAME, SESSION, TABLE
from streams.engine.counts import counted_as
from streams.postbacks.index import fires_on, names_of, scope_of
from streams.reports.totals import Campaign, Fired, Jobs, Totals

#: The partner of what has no source.
ORGANIC = "organic"


class Names(NamedTuple):
    """The names that configurations have."""

    apps: set[str]
    partners: set[str]
    campaigns: set[str]
    events: set[str]


class Known:
    """The configurations that are kept, by generation. What is gone is read with the newest one's names."""

    def __init__(self, configurations: Iterable[Configuration]) -> None:
        self.generations: Mapping[int, Configuration] = {one.generation: one for one in configurations}
        self._names = {number: _names(one) for number, one in self.generations.items()}
        self._comparable = {number: _comparable(one) for number, one in self.generations.items()}
        self._as_agency = {number: _as_agency(one) for number, one in self.generations.items()}
        self._newest = max(self.generations, default=0)

    def partner_of(self, fired: Fired) -> str:
        """Whose a source is: the partner's id by its id or an alias, a stranger's own name, or `ORGANIC`."""
        return self._named(fired, fired.publisher_name or fired.agency_name or None)

    def agency_of(self, fired: Fired, name: str) -> str | None:
        """Whose a derived event of this name is too: the agency beside the publisher, when a postback of its is
        addressed by agency (`network_and_agency`) and fires on it; None when there is no such one.
        """
        if not (fired.agency_name and fired.publisher_name):
            return None
        agency = self._named(fired, fired.agency_name)
        number = self._at(fired.generation)
        event = _Event(number, fired.app_id, fired.stage, name.removeprefix(CLAIMED))
        addressed = (agency, event) in self._as_agency.get(number, ())
        return agency if addressed and agency != self.partner_of(fired) else None

    def tells(self, jobs: Jobs) -> bool:
        """Whether the rows tell which derived events a postback was addressed by: its generation is kept, and it is
        `comparable`.
        """
        return jobs.postback_id in self._comparable.get(jobs.generation, ())

    def partner_named(self, name: str) -> str:
        """The partner's id, of an alias of today; any other name as it is, as rows have it."""
        return self._names.get(self._newest, {}).get(cut(name), cut(name))

    def names(self) -> Names:
        """What there is, in any generation that is kept."""
        kept = self.generations.values()
        return Names(
            apps={app.id for one in kept for app in one.apps},
            partners={ORGANIC} | {name for one in kept for partner in one.partners for name in names_of(partner)},
            campaigns={postback.campaign for one in kept for postback in one.postbacks if postback.campaign},
            events={name for one in kept for postback in one.postbacks for name in _counted_for(postback)},
        )

    def _named(self, fired: Fired, name: str | None) -> str:
        return ORGANIC if name is None else self._names.get(self._at(fired.generation), {}).get(name, name)

    def _at(self, generation: int) -> int:
        return generation if generation in self.generations else self._newest


def _names(configuration: Configuration) -> dict[str, str]:
    return {name: partner.id for partner in configuration.partners for name in _cut_names(partner)}


def _cut_names(partner: Partner) -> frozenset[str]:
    return frozenset(map(cut, names_of(partner)))


class _Event(NamedTuple):
    """A derived event in the counts of a generation's app and stage."""

    generation: int
    app_id: str
    stage: str
    name: str


def _as_agency(configuration: Configuration) -> frozenset[tuple[str, _Event]]:
    """By which derived events a partner's postbacks are addressed when it is the agency."""
    return frozenset(
        (one.partner, _event_of(one, configuration.generation))
        for one in configuration.postbacks
        if one.delivery_method == "network_and_agency" and comparable(one)
    )


def _event_of(postback: Postback, generation: int) -> _Event:
    """What a postback fires on, as it is counted."""
    scope = scope_of(postback)
    return _Event(generation, postback.app, scope, counted_as(fires_on(postback), scope))


def _counted_for(postback: Postback) -> Iterator[str]:
    """The names that are counted because this postback is there: all forms of its custom event."""
    scope, event = scope_of(postback), fires_on(postback)
    yield counted_as(event, scope)
    _, colon, custom = event.partition(":")
    if colon:
        yield from (row.name.replace(NAME, custom) for row in TABLE if row.name.endswith(NAME))


def _comparable(configuration: Configuration) -> frozenset[str]:
    return frozenset(postback.id for postback in configuration.postbacks if comparable(postback))


def addressed(totals: Totals, known: Known) -> dict[tuple[Jobs, Campaign], int]:
    """How many derived events each postback was addressed by on each day, by campaign, counted from the derived events
    alone, for the generations that are kept. All of them must have become a job or a no.

    `session` is left out unless the postback is for `all`: each postback counts its sessions from the starts of its
    own partner's attributions, and the rows show them by the current one.
    """
    by_event: defaultdict[_Event, list[tuple[Fired, int]]] = defaultdict(list)
    for fired, counts in totals.fired.items():
        for name, count in counts.items():
            of = _Event(fired.generation, fired.app_id, fired.stage, name.removeprefix(CLAIMED))
            by_event[of].append((fired, count))
    found: Counter[tuple[Jobs, Campaign]] = Counter()
    for number, configuration in known.generations.items():
        names = {partner.id: _cut_names(partner) for partner in configuration.partners}
        for postback in configuration.postbacks:
            if not comparable(postback):
                continue
            for fired, count in by_event.get(_event_of(postback, number), ()):
                if _is_addressed(postback, fired, names[postback.partner]):
                    campaign = Campaign(fired.campaign_id, fired.campaign_name)
                    named = (postback.partner, postback.id, fires_on(postback))
                    found[Jobs(fired.day, fired.app_id, number, *named), campaign] += count
    return dict(found)


def comparable(postback: Postback) -> bool:
    """Whether the rows tell which derived events a postback was addressed by."""
    event = fires_on(postback)
    # A custom event that is really called `*` is counted with those that nothing fires on.
    return not event.endswith(f":{ANY}") and (event != SESSION or postback.delivery_method == "all")


def _is_addressed(postback: Postback, fired: Fired, names: frozenset[str]) -> bool:
    """By the delivery method (contract §6)."""
    if postback.delivery_method == "all" or fired.publisher_name in names:
        return True
    return postback.delivery_method == "network_and_agency" and fired.agency_name in names
