"""What happens to the devices of the demo: installs, payments and absences as people have them, and what goes wrong on
the way. Tables say how often; all chance comes from the generator that is passed in.

A story's times are milliseconds on an axis of its own, from 0 to `SPAN`; the simulator puts them into the calendar.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from schemas.config import DAY, HOUR, MINUTE, SECOND

SPAN = 120 * DAY

#: An absence that makes the next activity a re-engagement: the apps' inactivity window is 30 d.
ABSENCE = (31 * DAY, 60 * DAY)

Platform = Literal["android", "ios"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be. `at`: its own time; it is produced `lag` later. `clicked`: the time of its touch."""

    kind: Literal["install", "event"]
    at: int
    fields: Mapping[str, Any] = field(default_factory=dict)
    clicked: int | None = None
    lag: int = 0


class Deck:
    """Deals cards in a shuffled order and begins again when it is empty: so a short run too has something of each."""

    def __init__(self, rng: random.Random, cards: Mapping[str, int]) -> None:
        self._rng = rng
        self._cards = [name for name, number in cards.items() for _ in range(number)]
        self._left: list[str] = []

    def deal(self) -> str:
        """The next card."""
        if not self._left:
            self._left = self._rng.sample(self._cards, len(self._cards))
        return self._left.pop()


class Origin(NamedTuple):
    """Who brought a device, and how long before, in ms: at least and at most."""

    publisher: str | None
    agency: str | None = None
    touch: Literal["click", "impression"] = "click"
    ago: tuple[int, int] = (MINUTE, 2 * DAY)


ORGANIC = "organic"

ORIGINS: dict[str, Origin] = {
    "acme": Origin("acme_ads"),
    "acme by its alias": Origin("acme"),
    "acme, too long ago": Origin("acme_ads", ago=(8 * DAY, 20 * DAY)),
    "globex": Origin("globex"),
    "globex, seen": Origin("globex", touch="impression", ago=(MINUTE, 10 * HOUR)),
    "initech": Origin("initech"),
    "initech, seen": Origin("initech", touch="impression", ago=(MINUTE, 20 * HOUR)),
    "northwind through globex": Origin("globex", "northwind"),
    "northwind elsewhere": Origin("ad_river", "northwind"),
    "northwind alone": Origin(None, "northwind"),
}

#: The decks, as numbers of cards.
PLATFORMS = {"android": 3, "ios": 2}
INSTALLS: dict[str, dict[str, int]] = {
    "android": {
        "acme": 6, "acme by its alias": 1, "acme, too long ago": 1, "globex": 4, "globex, seen": 1, "initech": 2,
        "initech, seen": 1, "northwind through globex": 1, "northwind elsewhere": 1, "northwind alone": 1, ORGANIC: 5,
    },
    "ios": {
        "acme": 3, "acme, too long ago": 1, "globex": 4, "globex, seen": 2, "initech": 2, "initech, seen": 1,
        "northwind through globex": 2, "northwind elsewhere": 2, ORGANIC: 5,
    },
}  # fmt: skip
RETURNS: dict[str, dict[str, int]] = {
    "android": {"acme": 3, "globex": 2, "initech": 1, "northwind elsewhere": 1, ORGANIC: 2},
    "ios": {"globex": 4, "acme": 2, "initech": 1, ORGANIC: 2},
}
PAYMENTS = {"0": 4, "1": 4, "2": 3, "3": 1}
FATES = {"stays": 12, "comes back": 6, "installs again soon": 1, "installs again late": 2}

#: What a shop sells: SKU, revenue, currency.
SHOP = (("gems_100", 0.99, "USD"), ("gems_500", 4.99, "EUR"), ("season_pass", 9.99, "USD"), ("no_ads", 2.49, "GBP"))
CAMPAIGNS = (("c-77", "Winter sale"), ("c-78", "Puzzle lovers"), ("c-91", "Look-alike 2 %"))
#: Names as the apps' libraries send them: some are aliases of the contract's.
LAUNCHES = ("launch", "session_begin")
PURCHASES = ("payment", "purchase")


class Cast:
    """The decks of one plan, from which every device is dealt its part."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.platform = Deck(rng, PLATFORMS)
        self.payments = Deck(rng, PAYMENTS)
        self.fate = Deck(rng, FATES)
        self.mishap = Deck(rng, {name: number for name, (number, _) in MISHAPS.items()})
        self.install = {name: Deck(rng, cards) for name, cards in INSTALLS.items()}
        self.back = {name: Deck(rng, cards) for name, cards in RETURNS.items()}

    def within(self, least: int, most: int) -> int:
        """A duration or a time, in ms."""
        return self.rng.randint(least, most)


def story(cast: Cast, platform: str) -> list[Draft]:
    """All that happens to a new device, in the order of own times."""
    fate = cast.fate.deal()
    start = cast.within(0, SPAN - 10 * DAY if fate == "stays" else SPAN - 70 * DAY)
    drafts = [_install(cast, start, cast.install[platform].deal()), *_first_hour(cast, start), *_days(cast, start)]
    if fate == "installs again soon":
        drafts.append(_install(cast, drafts[-1].at + cast.within(HOUR, 5 * DAY), cast.install[platform].deal()))
    elif fate != "stays":
        drafts += _second_life(cast, platform, drafts[-1].at + cast.within(*ABSENCE), fate == "installs again late")
    drafts = [draft for draft in drafts if draft.at <= SPAN]
    _, mishap = MISHAPS[cast.mishap.deal()]
    return mishap(cast, drafts)


def _install(cast: Cast, at: int, origin: str) -> Draft:
    return _touched(cast, Draft("install", at), origin)


def _event(cast: Cast, at: int, name: str, **params: Any) -> Draft:
    return Draft("event", at, {"event_name": name} | ({"params": params} if params else {}))


def _touched(cast: Cast, draft: Draft, origin: str) -> Draft:
    """The draft with the touch of its origin."""
    if origin == ORGANIC:
        return draft
    found = ORIGINS[origin]
    campaign, name = cast.rng.choice(CAMPAIGNS)
    touch = {
        "publisher_name": found.publisher,
        "agency_name": found.agency,
        "campaign_id": campaign,
        "campaign_name": name,
        "touch_type": found.touch if found.touch == "impression" else None,
        "click_id": f"clk-{cast.rng.getrandbits(48):012x}",
        "cost": round(cast.rng.uniform(0.05, 1.5), 2),
    }
    fields = {**draft.fields, **{name: value for name, value in touch.items() if value is not None}}
    return replace(draft, fields=fields, clicked=draft.at - cast.within(*found.ago))


def _payment(cast: Cast, at: int) -> Draft:
    sku, revenue, currency = cast.rng.choice(SHOP)
    fields = {
        "event_name": cast.rng.choice(PURCHASES),
        "revenue": revenue,
        "currency": currency,
        "transaction_id": f"T.{cast.rng.getrandbits(40):010X}",
        "validated": True,
        "params": {"sku": sku},
    }
    return Draft("event", at, fields)


def _first_hour(cast: Cast, start: int) -> list[Draft]:
    drafts = [_event(cast, start + cast.within(5 * SECOND, MINUTE), cast.rng.choice(LAUNCHES))]
    if cast.rng.random() < 0.5:
        drafts.append(_event(cast, start + cast.within(2 * MINUTE, 4 * MINUTE), "registration"))
    if cast.rng.random() < 0.7:
        drafts.append(_event(cast, start + cast.within(5 * MINUTE, 50 * MINUTE), "tutorial_done", seconds=90))
    return drafts


def _days(cast: Cast, start: int) -> list[Draft]:
    """A few days of play, in order."""
    days = [start + day * DAY + cast.within(0, 20 * HOUR) for day in range(1, 1 + cast.within(0, 3))]
    drafts = [_event(cast, at, cast.rng.choice(LAUNCHES)) for at in days]
    drafts += [_payment(cast, start + cast.within(HOUR, 8 * DAY)) for _ in range(int(cast.payments.deal()))]
    if cast.rng.random() < 0.6:
        drafts.append(_event(cast, start + cast.within(2 * HOUR, 6 * DAY), "level_up", level=cast.within(2, 30)))
    if cast.rng.random() < 0.05:
        drafts.append(_event(cast, start + 9 * DAY, "uninstall"))
    return sorted(drafts, key=lambda draft: draft.at) or [_event(cast, start + HOUR, "launch")]


def _second_life(cast: Cast, platform: str, at: int, installs: bool) -> list[Draft]:
    """After a long absence: by an advertisement, mostly, and with a payment, mostly."""
    origin = cast.back[platform].deal()
    first = Draft("install", at) if installs else _event(cast, at, "launch")
    drafts = [_touched(cast, first, origin)]
    if cast.rng.random() < 0.7:
        drafts.append(_payment(cast, at + cast.within(10 * MINUTE, 2 * DAY)))
    if cast.rng.random() < 0.4:
        drafts.append(_event(cast, at + cast.within(HOUR, 3 * DAY), "level_up", level=cast.within(31, 60)))
    return sorted(drafts, key=lambda draft: draft.at)


def _nothing(cast: Cast, drafts: list[Draft]) -> list[Draft]:
    return drafts


def _events_first(cast: Cast, drafts: list[Draft]) -> list[Draft]:
    """The install is produced after the first events."""
    return [replace(drafts[0], lag=drafts[1].at - drafts[0].at + cast.within(MINUTE, HOUR)), *drafts[1:]]


def _no_install(cast: Cast, drafts: list[Draft]) -> list[Draft]:
    """The device is older than its tracker: no install ever comes."""
    return drafts[1:]


def _install_last(cast: Cast, drafts: list[Draft]) -> list[Draft]:
    """The install of a device that was given up for organic comes days later, and claims it."""
    return [replace(drafts[0], lag=cast.within(12 * DAY, 15 * DAY)), drafts[1]]


def _told_again(cast: Cast, drafts: list[Draft]) -> list[Draft]:
    """A tracker reports the install too, with a source, an hour after the app did without one."""
    install = drafts[0]
    own = Draft("install", install.at)
    return [own, *drafts[1:], replace(_install(cast, install.at + MINUTE, "acme"), lag=cast.within(HOUR, 5 * HOUR))]


def _twice(cast: Cast, drafts: list[Draft]) -> list[Draft]:
    """A producer sends a record again."""
    again = cast.rng.choice(drafts)
    return [*drafts, replace(again, lag=again.lag + cast.within(MINUTE, 6 * HOUR))]


def _late(cast: Cast, drafts: list[Draft]) -> list[Draft]:
    """A payment of a telephone that was off-line comes after a later launch."""
    day = drafts[0].at + cast.within(2 * HOUR, 20 * HOUR)
    return [
        *drafts,
        replace(_payment(cast, day), lag=10 * HOUR + cast.within(0, HOUR)),
        _event(cast, day + 9 * HOUR, "launch"),
    ]


def _too_late(cast: Cast, drafts: list[Draft]) -> list[Draft]:
    """A payment comes when its device has been seen more than two days later: nothing follows from it any more."""
    day = drafts[0].at + cast.within(HOUR, 5 * HOUR)
    return [
        *drafts,
        replace(_payment(cast, day), lag=5 * DAY + cast.within(HOUR, DAY)),
        _event(cast, day + 5 * DAY, "launch"),
    ]


#: What goes wrong on the way from a device to the topics: number of cards, and what it does to the story.
MISHAPS: dict[str, tuple[int, Callable[[Cast, list[Draft]], list[Draft]]]] = {
    "nothing": (14, _nothing),
    "events before their install": (4, _events_first),
    "no install": (1, _no_install),
    "install comes last": (1, _install_last),
    "told again": (1, _told_again),
    "twice": (4, _twice),
    "late": (2, _late),
    "too late": (2, _too_late),
}
