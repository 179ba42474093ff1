"""The derived events (contract §5): one table that the fold, the validation of postbacks, docs and console read.

A record has a *family*: its own name when that is reserved, else `event`; what befalls the device adds `install`,
`re_install` and `re_engagement`, what befalls the user `new_user` and `re_engagement_user`. Each row of a family says
when its derived event fires and which attribution it goes by. A new derived event is a new row; nothing elsewhere asks
for a name.

`<name>` in a row's name stands for the name of a custom event.
"""

from __future__ import annotations

import difflib
import enum
from collections.abc import Mapping
from typing import Literal

import msgspec

#: Names of events with a meaning of their own; every other incoming name is a custom event.
RESERVED = frozenset(
    {"launch", "visit", "impression", "registration", "authorization", "payment", "custom_payment", "uninstall"}
)

#: Other spellings of reserved names, for incoming records only: a configuration must use the reserved name.
ALIASES: Mapping[str, str] = {
    "mt_registration": "registration",
    "mt_login": "authorization",
    "login": "authorization",
    "session_begin": "launch",
    "purchase": "payment",
}

#: Events that show that somebody is using the app. Not `custom_payment`: a server uploads it.
ACTIVITIES = frozenset({"registration", "authorization", "launch", "visit", "impression", "payment"})

#: Activities that start an attribution on the web when they have a touch (the last-visit model).
WEB_VISITS = frozenset({"visit"})

#: What no custom event can be called: records of that name have a family of their own, or are refused.
NO_CUSTOM_NAMES = RESERVED | ALIASES.keys() | {"install"}

NAME = "<name>"

#: The derived event that is counted from the starts of attributions, see `sessions`.
SESSION = "session"


class Fires(enum.Enum):
    """How often a row fires among the records of its family."""

    EVERY = "every time"
    LIFETIME = "the first in the lifetime"
    PERIOD = "the first since the last attribution"
    DAILY = "at most one in each 24-hour period, none in the first"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One derived event.

    `bit` is the place of the family in the bits that remember used firsts (None: every time, or a custom event, whose
    name is remembered). It is stored with every device and user: never give a family another one. `scopes` are the
    values that a postback's `scope` may have, the first one when it says nothing; a row of only one scope is of that
    scope whatever is said. `source` is where the rule comes from.
    """

    name: str
    family: str
    fires: Fires
    goes_by: Literal["first", "current"]
    platforms: frozenset[str]
    doc: str
    source: str
    bit: int | None = None
    scopes: tuple[Literal["device", "user"], ...] = ("device",)


MOBILE = frozenset({"ios", "android", "windows"})
EVERYWHERE = MOBILE | {"web"}

MYTRACKER = "MyTracker: postback events, first and current attribution"
RINGBACK = "Ringback: custom events take the forms of the reserved ones"


def _four_forms(
    family: str,
    platforms: frozenset[str],
    bit: int | None,
    first_scopes: tuple[Literal["device", "user"], ...] = ("device",),
    suffix: str = "",
    source: str = MYTRACKER,
) -> tuple[Row, ...]:
    """The rows of a family that has all four forms: every time or the first, by the first or current attribution."""
    what = f"`{family}`" if not suffix else "custom event of this name"

    def row(
        name: str,
        fires: Fires,
        goes_by: Literal["first", "current"],
        doc: str,
        scopes: tuple[Literal["device", "user"], ...] = ("device",),
    ) -> Row:
        kept = None if fires is Fires.EVERY else bit
        return Row(
            name=name + suffix, family=family, fires=fires, goes_by=goes_by, platforms=platforms, doc=doc,
            source=source, bit=kept, scopes=scopes,
        )  # fmt: skip

    return (
        row(family, Fires.EVERY, "first", f"every {what}"),
        row(f"{family}_ca", Fires.EVERY, "current", f"every {what}, for the source that is current when it happens"),
        row(f"first_{family}", Fires.LIFETIME, "first", f"the first {what} in the device's lifetime", first_scopes),
        row(f"first_{family}_ca", Fires.PERIOD, "current", f"the first {what} since the last attribution"),
    )


#: The order within a family is the order in which a record's derived events are listed.
TABLE: tuple[Row, ...] = (
    Row(
        name="install", family="install", fires=Fires.EVERY, goes_by="first", platforms=MOBILE, source=MYTRACKER,
        doc="the install of the device, once in its lifetime",
    ),
    Row(
        name="re_install", family="re_install", fires=Fires.EVERY, goes_by="current", platforms=MOBILE,
        source=MYTRACKER, doc="an install after at least the inactivity window without activity",
    ),
    Row(
        name="re_engagement", family="re_engagement", fires=Fires.EVERY, goes_by="current", platforms=EVERYWHERE,
        source=MYTRACKER, doc="an activity after more than the inactivity window without one",
    ),
    Row(
        name="new_user", family="new_user", fires=Fires.EVERY, goes_by="first", platforms=EVERYWHERE,
        source=MYTRACKER, doc="the first record that ever carries this user id in the project", scopes=("user",),
    ),
    Row(
        name="re_engagement_user", family="re_engagement_user", fires=Fires.EVERY, goes_by="current",
        platforms=EVERYWHERE, source=MYTRACKER, scopes=("user",),
        doc="an activity of the user, on any device, after more than the inactivity window without one",
    ),
    *_four_forms("payment", MOBILE, 0, ("device", "user")),
    *_four_forms("custom_payment", EVERYWHERE, 1, ("device", "user")),
    *_four_forms("registration", EVERYWHERE, 2),
    *_four_forms("authorization", EVERYWHERE, 3),
    *_four_forms("event", MOBILE, None, suffix=f":{NAME}", source=RINGBACK),
    Row(
        name="app_open", family="launch", fires=Fires.EVERY, goes_by="first", platforms=MOBILE, source=MYTRACKER,
        doc="every `launch`",
    ),
    Row(
        name=SESSION, family="launch", fires=Fires.DAILY, goes_by="current", platforms=MOBILE, source=MYTRACKER,
        doc="a `launch`, one in each 24-hour period from the first appearance (at `all`), or from the latest start of "
        "an attribution to the postback's partner; then it goes by that one",
    ),
)  # fmt: skip

_BY_NAME = {row.name: row for row in TABLE}


def family_of(name: str) -> str:
    """The family of an event's name (no alias): the name itself when it is reserved, else `event`."""
    return name if name in RESERVED else "event"


def parse(name: str) -> Row | None:
    """The row of a derived event as a configuration writes it, or None. Aliases have none: see `suggest`.

    `event:coins` is a case of `event:<name>`; a reserved name, an alias of one, or `install` is no custom event.
    """
    family, colon, custom = name.partition(":")
    if not colon:
        return _BY_NAME.get(name)
    if not custom or custom in NO_CUSTOM_NAMES:
        return None
    return _BY_NAME.get(f"{family}:{NAME}")


def suggest(name: str) -> str | None:
    """What somebody who wrote `name` for a derived event probably meant, if that can be told."""
    family, colon, custom = name.partition(":")
    reserved = ALIASES.get(custom, custom)
    if colon and reserved in NO_CUSTOM_NAMES:
        return _close(family.replace("event", reserved))
    if colon:
        close = _close(f"{family}:{NAME}")
        return close and close.replace(NAME, custom or NAME)
    prefix = "first_" if name.startswith("first_") else ""
    suffix = "_ca" if name.endswith("_ca") else ""
    middle = name.removeprefix(prefix).removesuffix(suffix)
    return _close(prefix + ALIASES.get(middle, middle) + suffix)


def _close(name: str) -> str | None:
    if name == "launch":
        return "app_open"
    found = difflib.get_close_matches(name, list(_BY_NAME), n=1)
    return found[0] if found else None
