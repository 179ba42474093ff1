"""What the configurations say of the names in the counts: whose a source is, and which derived events a postback is
addressed by. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.config import Configuration, Postback
from schemas.report import CLAIMED
from streams.attribution.events import SESSION
from streams.engine.counts import counted_as
from streams.postbacks.index import fires_on, names_of, scope_of
from streams.reports.totals import Fired, Jobs, Totals

#: The partner of what has no source.
ORGANIC = "organic"


class Known:
    """The configurations that are kept, by generation. What is gone is read with the newest one's names."""

    def __init__(self, configurations: Iterable[Configuration]) -> None:
        self.generations: Mapping[int, Configuration] = {one.generation: one for one in configurations}
        self._names = {number: _names(one) for number, one in self.generations.items()}
        self._campaigns = {
            number: {postback.id: postback.campaign for postback in one.postbacks}
            for number, one in self.generations.items()
        }
        self._newest = max(self.generations, default=0)

    def partner_of(self, fired: Fired) -> str:
        """Whose a source is: the partner's id by its id or an alias, a stranger's own name, or `ORGANIC`."""
        name = fired.publisher_name or fired.agency_name
        return ORGANIC if name is None else self._names.get(self._at(fired.generation), {}).get(name, name)

    def campaign_of(self, jobs: Jobs) -> str | None:
        """The campaign that a postback is for, as it is configured; None when it is for all."""
        return self._campaigns.get(self._at(jobs.generation), {}).get(jobs.postback_id)

    def _at(self, generation: int) -> int:
        return generation if generation in self.generations else self._newest


def _names(configuration: Configuration) -> dict[str, str]:
    return {name: partner.id for partner in configuration.partners for name in names_of(partner)}


class _Event(NamedTuple):
    """A derived event in the counts of a generation's app and stage."""

    generation: int
    app_id: str
    stage: str
    name: str


def addressed(totals: Totals, known: Known) -> dict[Jobs, int]:
    """How many derived events each postback was addressed by on each day, counted from the derived events alone, for
    the generations that are kept. All of them must have become a job or a no.

    `session` is left out unless the postback is for `all`: each postback counts its sessions from the starts of its
    own partner's attributions, and the rows show them by the current one.
    """
    by_event: defaultdict[_Event, list[tuple[Fired, int]]] = defaultdict(list)
    for fired, counts in totals.fired.items():
        for name, count in counts.items():
            of = _Event(fired.generation, fired.app_id, fired.stage, name.removeprefix(CLAIMED))
            by_event[of].append((fired, count))
    found: Counter[Jobs] = Counter()
    for number, configuration in known.generations.items():
        names = {partner.id: names_of(partner) for partner in configuration.partners}
        for postback in configuration.postbacks:
            if not comparable(postback):
                continue
            event, scope = fires_on(postback), scope_of(postback)
            for fired, count in by_event.get(_Event(number, postback.app, scope, counted_as(event, scope)), ()):
                if _is_addressed(postback, fired, names[postback.partner]):
                    found[Jobs(fired.day, fired.app_id, number, postback.partner, postback.id, event)] += count
    return dict(found)


def comparable(postback: Postback) -> bool:
    """Whether the rows tell which derived events a postback was addressed by."""
    return fires_on(postback) != SESSION or postback.delivery_method == "all"


def _is_addressed(postback: Postback, fired: Fired, names: frozenset[str]) -> bool:
    """By the delivery method (contract §6)."""
    if postback.delivery_method == "all" or fired.publisher_name in names:
        return True
    return postback.delivery_method == "network_and_agency" and fired.agency_name in names
