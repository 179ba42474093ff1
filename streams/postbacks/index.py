"""The postbacks of one generation, compiled once and found by app and derived event in constant time.

A record never looks at a postback that cannot concern it: the index holds, for each app and derived event, the
postbacks that take every source, those by publisher name and those by agency name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

from schemas.config import App, Configuration, Partner, Postback
from schemas.job import Job, Request
from schemas.report import ANY
from schemas.touch import Touch
from streams.attribution import events
from streams.attribution.fold import Lookbacks, Session
from streams.attribution.state import Attribution
from streams.postbacks.jobs import job_ids
from streams.postbacks.values import reader_of
from streams.templates.request import CompiledRequest, compile_request

_NO_REQUEST = Request("GET", ())

#: Makes the ids of a postback's jobs on a derived event of an app, by what `record_part` says of a record.
JobIds = Callable[[str, str, str], Callable[[bytes], str]]

#: Whose uniqueness a derived event goes by; each is decided in a stage of its own.
Scope = Literal["device", "user"]


class Candidate(NamedTuple):
    """A postback ready to be decided: its app, its partner, and its compiled request, which reads an `Occasion`.

    `job` is what all its jobs have in common, to be copied; `job_id` gives their ids. `conditional`: something of the
    postback, its app or its partner may speak against a job.
    """

    postback: Postback
    app: App
    partner: Partner
    names: frozenset[str]
    request: CompiledRequest
    job: Job
    job_id: Callable[[bytes], str]
    conditional: bool

    @property
    def fires_on(self) -> str:
        """The derived event it fires on: `match_event` when set (event matching), otherwise `event`."""
        return fires_on(self.postback)

    @property
    def scope(self) -> Scope:
        """The scope of the derived event it fires on; where there are two, the postback's choice."""
        return scope_of(self.postback)


class Bucket:
    """The candidates of one app, derived event and scope, by how they choose their source."""

    __slots__ = ("by_agency", "by_publisher", "every", "everyone")

    def __init__(self) -> None:
        self.every: list[Candidate] = []
        self.everyone: list[Candidate] = []
        self.by_publisher: dict[str, list[Candidate]] = {}
        self.by_agency: dict[str, list[Candidate]] = {}

    def add(self, candidate: Candidate) -> None:
        """File a candidate under the names its delivery method looks at."""
        self.every.append(candidate)
        method = candidate.postback.delivery_method
        if method == "all":
            self.everyone.append(candidate)
            return
        for name in candidate.names:
            self.by_publisher.setdefault(name, []).append(candidate)
            if method == "network_and_agency":
                self.by_agency.setdefault(name, []).append(candidate)

    def addressed(self, attribution: Attribution) -> Sequence[Candidate]:
        """The candidates whose source this attribution is (contract §6: publisher, or publisher or agency, or all);
        each once.
        """
        touch = attribution.touch
        if touch is None or not self.by_publisher:
            return self.everyone
        named = self._named(touch)
        return [*self.everyone, *named] if self.everyone else named

    def since(self, sessions: Iterable[Session]) -> Iterator[tuple[Candidate, Session]]:
        """The candidates that count from the latest start of an attribution to their source, each with that one.

        `sessions`: the latest start first.
        """
        found: set[str] = set()
        for session in sessions:
            if session.attribution.touch is None:
                continue
            for candidate in self._named(session.attribution.touch):
                if candidate.postback.id not in found:
                    found.add(candidate.postback.id)
                    yield candidate, session

    def _named(self, touch: Touch) -> Sequence[Candidate]:
        publishers: Sequence[Candidate] = ()
        if touch.publisher_name:
            publishers = self.by_publisher.get(touch.publisher_name, ())
        if not touch.agency_name or not self.by_agency:
            return publishers
        agencies = self.by_agency.get(touch.agency_name, ())
        return [*publishers, *(candidate for candidate in agencies if candidate not in publishers)]


_NO_BUCKETS: Mapping[str, Bucket] = {}


class Index:
    """One generation as the worker uses it: apps by id, lookbacks by name, candidates by app, derived event
    and scope.
    """

    def __init__(self, configuration: Configuration, ids: JobIds = job_ids) -> None:
        """Compile every postback. Raises `streams.templates.request.TemplateErrors`: validation should have met it
        before. `ids`: another one than the worker's is for what is only tried.
        """
        self.generation = configuration.generation
        self.apps: Mapping[str, App] = {app.id: app for app in configuration.apps}
        partners = {partner.id: partner for partner in configuration.partners}
        self.lookbacks = Lookbacks.of(configuration.partners)
        self._partners = {postback.id: postback.partner for postback in configuration.postbacks}
        self._buckets: dict[tuple[str, Scope], dict[str, Bucket]] = {}
        #: By app, the names of the custom events that a postback fires on in any form.
        self._customs: set[tuple[str, str]] = set()
        for postback in configuration.postbacks:
            candidate = _candidate(postback, self.apps[postback.app], partners[postback.partner], ids)
            buckets = self._buckets.setdefault((postback.app, candidate.scope), {})
            buckets.setdefault(candidate.fires_on, Bucket()).add(candidate)
            self._customs.add((postback.app, candidate.fires_on.partition(":")[2]))

    def bucket(self, app_id: str, event: str, scope: Scope = "device") -> Bucket | None:
        """The candidates that fire on this derived event of this app, or None when there is none."""
        return self.buckets(app_id, scope).get(event)

    def buckets(self, app_id: str, scope: Scope) -> Mapping[str, Bucket]:
        """The candidates of this app and scope, by derived event."""
        return self._buckets.get((app_id, scope), _NO_BUCKETS)

    def counted(self, app_id: str, event: str) -> str:
        """What a derived event is counted as. Names of custom events are the users' to make up, in any number: those
        that no postback of the app fires on, in any form, share one name.
        """
        family, colon, custom = event.partition(":")
        if not colon or (custom != ANY and (app_id, custom) in self._customs):
            return event
        return f"{family}:{ANY}"

    def partner_of(self, postback_id: str) -> str:
        """The id of the partner of one of its postbacks."""
        return self._partners[postback_id]


def fires_on(postback: Postback) -> str:
    """The derived event that a postback fires on."""
    return postback.match_event or postback.event


def scope_of(postback: Postback) -> Scope:
    """The scope of the derived event that a postback fires on; where there are two, the postback's choice."""
    return scope_on(fires_on(postback), postback.scope)


def scope_on(event: str, chosen: Scope = "device") -> Scope:
    """The scope of a derived event: `new_user` is of the user without saying so. Of two, the chosen one."""
    row = events.parse(event)
    return row.scopes[0] if row is not None and len(row.scopes) == 1 else chosen


def names_of(partner: Partner) -> frozenset[str]:
    """The names that mean this partner in the records: its id and its aliases, compared exactly."""
    return frozenset((partner.id, *partner.aliases))


def _candidate(postback: Postback, app: App, partner: Partner, ids: JobIds) -> Candidate:
    find = partial(reader_of, supply_network_data=postback.supply_network_data)
    request = compile_request(postback.endpoint, partner.fields, find)
    event = fires_on(postback)
    conditional = (
        app.live_from is not None
        or postback.status == "paused"
        or partner.consent == "required"
        or postback.campaign is not None
    )
    job_id = ids(postback.id, event, app.id)
    job = _blank(postback, app, partner, event)
    return Candidate(postback, app, partner, names_of(partner), request, job, job_id, conditional)


def _blank(postback: Postback, app: App, partner: Partner, event: str) -> Job:
    """A job without what is of the record and the moment."""
    return Job(
        job_id="",
        postback_id=postback.id,
        partner=postback.partner,
        app_id=app.id,
        event=event,
        record_id="",
        device_key="",
        generation=0,
        decided_at=0,
        due_at=0,
        max_age=partner.max_age,
        retry_attempts=postback.retry_attempts,
        request=_NO_REQUEST,
        shadow=postback.status == "shadow",
    )
