"""What the contract says of one device (§3 duplicates and too late, §4, §5) and of one user (§5), written down as
plainly as possible.

Nothing is packed or made quick here, nothing is forgotten but old attributions (and all of it at once, when the app
says so), and nothing of `streams.attribution` is used but the type of an entry: the folds must say the same.
`reference_world` puts many of both together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.config import DAY, HOUR, MINUTE, App
from streams.attribution.entry import Entry

Source = tuple[str | None, str | None, str | None]  # publisher, agency, campaign id
Lookback = tuple[int, int]  # click, impression

FAMILIES = ("payment", "custom_payment", "registration", "authorization")
ACTIVITIES = ("registration", "authorization", "launch", "visit", "impression", "payment")
OTHER_RESERVED = ("launch", "visit", "impression", "uninstall")

#: A device has its first attribution and so many more.
KEPT = 16


@dataclass(frozen=True)
class Firing:
    """A derived event, number and source of the attribution that it goes by, and whether it is a claim's."""

    event: str
    number: int
    source: Source | None
    claim: bool = False


@dataclass(frozen=True)
class Asker:
    """Somebody who counts sessions from the latest start of an attribution that is theirs: a partner by its names,
    as the publisher, or as the agency too.
    """

    names: frozenset[str]
    agencies: bool = False

    def owns(self, source: Source | None) -> bool:
        if source is None:
            return False
        return source[0] in self.names or (self.agencies and source[1] in self.names)


@dataclass(frozen=True)
class Told:
    """What became of one record that was read or released; `sessions`: for which askers the launch is a session."""

    kind: str
    id: str
    result: str
    late: bool = False
    derived: tuple[Firing, ...] = ()
    sessions: tuple[tuple[Asker, Firing], ...] = ()


@dataclass
class Period:
    number: int
    start: int
    source: Source | None
    re_install: bool = False
    assumed: bool = False


def silent_for_too_long(last_appended: int | None, appended: int, forget_after: int | None) -> bool:
    """Whether what was last appended is forgotten. It is remembered to the second, and rounded in its favour."""
    if last_appended is None or forget_after is None:
        return False
    return appended > math.ceil(last_appended / 1000) * 1000 + forget_after


#: Called with each record that was told: the entry, what was told, the first attribution, the one it lies in.
Listener = Callable[[Entry, Told, Period | None, Period | None], None]


@dataclass
class Reference:
    """One device. Feed it with `read`, in the order of append times; `told` is its story."""

    app: App
    lookbacks: dict[str, Lookback]
    hold_limit: int = 1000
    askers: tuple[Asker, ...] = ()
    listener: Listener | None = None

    told: list[Told] = field(default_factory=list)
    ids: set[tuple[str, str]] = field(default_factory=set)
    processed: list[int] = field(default_factory=list)
    clock: int = 0
    periods: list[Period] = field(default_factory=list)
    organic_install_at: int | None = None
    used: set[tuple[str, int | None]] = field(default_factory=set)
    launched: set[tuple[int, int]] = field(default_factory=set)
    held: list[Entry] = field(default_factory=list)
    last_appended: int | None = None

    def read(self, entry: Entry) -> None:
        self.progress(entry.appended)
        if silent_for_too_long(self.last_appended, entry.appended, self.app.forget_after) and not self.held:
            self.forget_everything()
        if self.processed and entry.at < max(self.processed) - self.app.dedup_window:
            self.tell(entry, "too_late")
        elif (entry.kind, entry.id) in self.ids:
            self.tell(entry, "duplicate")
        else:
            self.ids.add((entry.kind, entry.id))
            self.last_appended = max(entry.appended, self.last_appended or 0)
            self.take(entry)

    def forget_everything(self) -> None:
        """From here on it is a device that nobody has ever seen; what was told stays told."""
        fresh = Reference(self.app, self.lookbacks, self.hold_limit, self.askers, self.listener, self.told)
        self.__dict__.update(fresh.__dict__)

    def take(self, entry: Entry) -> None:
        if entry.kind == "install":
            self.process_install(entry)
            self.release()
        elif not self.must_be_held(entry):
            self.process_event(entry)
        else:
            self.held.append(entry)
            if len(self.held) > self.hold_limit:
                self.release()
            else:
                self.tell(entry, "held")

    def must_be_held(self, entry: Entry) -> bool:
        if self.app.platform == "web" or self.app.install_grace == 0:
            return False
        if self.held:
            return True
        return not self.periods or entry.at - self.clock > self.app.inactivity_window

    def progress(self, appended: int) -> None:
        """All installs have been read up to this append time."""
        if any(entry.appended + self.app.install_grace < appended for entry in self.held):
            self.release()

    def release(self) -> None:
        held, self.held = self.held, []
        for entry in sorted(held, key=lambda entry: (entry.at, entry.appended)):
            self.process_event(entry)

    # Processing

    def process_event(self, entry: Entry) -> None:
        late = bool(self.processed) and entry.at < max(self.processed)
        re_engaged = False
        if not self.periods:
            self.appear(entry)
        elif not late and entry.name in ACTIVITIES:
            re_engaged = entry.at - self.clock > self.app.inactivity_window
            touch = self.touch(entry)
            web_visit = self.app.platform == "web" and entry.name == "visit" and touch is not None
            if re_engaged or web_visit:
                self.restart(entry.at, touch)
            self.clock = entry.at
        self.processed.append(entry.at)
        period = self.period_of(entry.at) if late else self.periods[-1]
        derived = [self.by(period, "re_engagement")] if re_engaged else []
        derived += self.own_events(entry.name, period)
        sessions = []
        if entry.name == "launch" and self.app.platform != "web":
            due = self.sessions_due(entry.at)
            if due.get(1):
                derived.append(self.by(period, "session"))
            sessions = self.sessions_of_askers(entry.at, due)
        self.tell(entry, "processed", late, derived, sessions)

    def appear(self, entry: Entry) -> None:
        web = self.app.platform == "web"
        source = self.touch(entry) if web else None
        self.periods.append(Period(1, entry.at, source, assumed=not web))
        self.clock = entry.at

    def process_install(self, entry: Entry) -> None:
        late = bool(self.processed) and entry.at < max(self.processed)
        touch = self.touch(entry)
        if not self.periods:
            self.periods.append(Period(1, entry.at, touch))
            self.clock = entry.at
            self.organic_install_at = entry.at
            derived = [self.by(self.periods[0], "install")]
        elif self.periods[0].assumed:
            self.periods[0].assumed = False
            self.periods[0].source = touch
            self.organic_install_at = entry.at
            derived = [self.by(self.periods[0], "install")]
        elif claimed := self.claimable(entry.at, touch):
            claimed.source = touch
            derived = [self.by(claimed, "re_install" if claimed.re_install else "install", claim=True)]
        elif not late and entry.at - self.clock >= self.app.inactivity_window:
            self.restart(entry.at, touch)
            self.periods[-1].re_install = True
            self.clock = entry.at
            derived = [self.by(self.periods[-1], "re_install")]
        else:
            self.tell(entry, "reinstall", late)
            return
        self.processed.append(entry.at)
        if self.app.platform == "web":
            derived = []
        self.tell(entry, "processed", late, derived)

    def claimable(self, at: int, touch: Source | None) -> Period | None:
        if touch is None:
            return None
        for period in reversed(self.periods):
            installed_at = period.start if period.re_install else None
            if period.number == 1:
                installed_at = self.organic_install_at
            if installed_at is None or period.source is not None:
                continue
            if abs(at - installed_at) <= self.app.claim_window:
                return period
        return None

    def restart(self, at: int, touch: Source | None) -> None:
        last = self.periods[-1]
        if touch is None and not self.app.reattribute_to_organic:
            touch = last.source
        self.periods.append(Period(last.number + 1, at, touch))
        if len(self.periods) > KEPT + 1:
            late = [at - self.app.dedup_window, *(entry.at for entry in self.held)]
            self.forget_one(min(*late, at - self.app.claim_window))

    def forget_one(self, over: int) -> None:
        """The oldest from which no partner counts its sessions any more, and to which nothing can belong that still
        comes, since it had ended at `over`; if there is none, the oldest. Neither the first nor the current one.
        """
        between = self.periods[1:-1]
        for place, period in enumerate(between, start=2):
            partners = [later.source[:2] for later in self.periods[place:] if later.source]
            ended = self.periods[place].start <= over
            if ended and (period.source is None or period.source[:2] in partners):
                self.periods.remove(period)
                return
        self.periods.remove(between[0])

    def period_of(self, at: int) -> Period:
        begun = [period for period in self.periods if period.start <= at]
        return begun[-1] if begun else self.periods[0]

    def touch(self, entry: Entry) -> Source | None:
        record = entry.record
        if not record.publisher_name and not record.agency_name:
            return None
        click, impression = self.lookbacks.get(record.publisher_name or "", (7 * DAY, 24 * HOUR))
        lookback = impression if record.touch_type == "impression" else click
        touched_at = entry.at if entry.clicked is None else entry.clicked
        if touched_at - entry.at > 5 * MINUTE or entry.at - touched_at > lookback:
            return None
        return record.publisher_name, record.agency_name, record.campaign_id

    # Derived events

    def own_events(self, name: str, period: Period) -> list[Firing]:
        web = self.app.platform == "web"
        first = self.periods[0]
        if name in FAMILIES and not (web and name == "payment"):
            return self.four(name, f"{name}_ca", f"first_{name}", f"first_{name}_ca", period)
        if name == "launch" and not web:
            return [self.by(first, "app_open")]
        if name not in FAMILIES + OTHER_RESERVED and not web:
            return self.four(
                f"event:{name}", f"event_ca:{name}", f"first_event:{name}", f"first_event_ca:{name}", period
            )
        return []

    def four(self, every: str, every_ca: str, first: str, first_ca: str, period: Period) -> list[Firing]:
        derived = [self.by(self.periods[0], every), self.by(period, every_ca)]
        if (first, None) not in self.used:
            self.used.add((first, None))
            derived.append(self.by(self.periods[0], first))
        if (first_ca, period.number) not in self.used:
            self.used.add((first_ca, period.number))
            derived.append(self.by(period, first_ca))
        return derived

    def sessions_due(self, at: int) -> dict[int, bool]:
        """By the number of each attribution that has begun: is a launch at this time a session, counted from it?"""
        due = {}
        for period in self.periods:
            if period.start <= at:
                day = (at - period.start) // DAY
                due[period.number] = day >= 1 and (period.number, day) not in self.launched
                self.launched.add((period.number, day))
        return due

    def sessions_of_askers(self, at: int, due: dict[int, bool]) -> list[tuple[Asker, Firing]]:
        sessions = []
        for asker in self.askers:
            theirs = [period for period in self.periods if period.start <= at and asker.owns(period.source)]
            if theirs and due[theirs[-1].number]:
                sessions.append((asker, self.by(theirs[-1], "session")))
        return sessions

    def by(self, period: Period, event: str, claim: bool = False) -> Firing:
        return Firing(event, period.number, period.source, claim)

    def tell(
        self,
        entry: Entry,
        result: str,
        late: bool = False,
        derived: list[Firing] | None = None,
        sessions: list[tuple[Asker, Firing]] | None = None,
    ) -> None:
        told = Told(entry.kind, entry.id, result, late, tuple(derived or ()), tuple(sessions or ()))
        self.told.append(told)
        if self.listener is not None:
            first = self.periods[0] if self.periods else None
            self.listener(entry, told, first, self.period_of(entry.at) if first else None)


@dataclass
class ReferenceUser:
    """One user of a project. Feed it with what the devices tell, in their order."""

    clock: int | None = None
    processed: list[int] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    #: The longest of the apps of the project; None when one of them has none.
    forget_after: int | None = None
    last_appended: int | None = None

    def read(self, entry: Entry, app: App, reinstall: bool, first: Period, current: Period) -> Told:
        if silent_for_too_long(self.last_appended, entry.appended, self.forget_after):
            self.clock, self.processed, self.used = None, [], set()
        self.last_appended = max(entry.appended, self.last_appended or 0)
        derived = []
        late = bool(self.processed) and entry.at < max(self.processed)
        if self.clock is None:
            self.clock = entry.at
            self.processed.append(entry.at)
            derived.append(Firing("new_user", first.number, first.source))
        elif not reinstall:
            self.processed.append(entry.at)
            if entry.name in ACTIVITIES and not late:
                if entry.at - self.clock > app.inactivity_window:
                    derived.append(Firing("re_engagement_user", current.number, current.source))
                self.clock = entry.at
        payments = ("custom_payment",) if app.platform == "web" else ("payment", "custom_payment")
        if entry.name in payments and entry.name not in self.used:
            self.used.add(entry.name)
            derived.append(Firing(f"first_{entry.name}", first.number, first.source))
        return Told(entry.kind, entry.id, "processed", late, tuple(derived))
