"""Postbacks that might have fired on such a record, and of which no rule says anything: why they did not. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.config import Postback
from streams.attribution.entry import Entry
from streams.attribution.events import ACTIVITIES, family_of, parse
from streams.postbacks.index import Index, fires_on, scope_of

from .clues import say
from .scene import Scene
from .sentences import SILENT
from .told import Answer

#: What befalls a user or a device on an activity.
_RETURNS = frozenset(("re_engagement", "re_engagement_user"))


def silent(scene: Scene, index: Index, answered: set[str]) -> Iterator[Answer]:
    """An answer for each of these postbacks of the app. `answered`: those that have one."""
    fact, app = scene.reading.processed, scene.app
    if fact is None or app is None or fact.result not in ("processed", "reinstall"):
        return
    for postback in scene.material.configuration.postbacks:
        if postback.app != app.id or postback.id in answered:
            continue
        event = fires_on(postback)
        if _might_fire(event, scene.entry, app.platform) and (reason := _why(scene, postback, event)):
            here = scene._replace(event=event)
            yield Answer(
                postback_id=postback.id,
                partner=postback.partner,
                event=event,
                scope=scope_of(postback),
                reason=reason.partition("/")[0],
                text=say(SILENT[reason], here),
            )


def _why(scene: Scene, postback: Postback, event: str) -> str:
    if scope_of(postback) == "user" and not scene.entry.record.user_id:
        return "no_user"
    return appearance(scene, event)


def appearance(scene: Scene, event: str) -> str:
    """Why a device or a user cannot come back with its first record: a key of `SILENT`, empty when it is no first."""
    seen, entry = scene.material.user, scene.entry
    if event == "re_engagement" and not scene.before.attributions:
        kept = scene.material.kept.device
        known = kept is not None and kept.attributions and kept.attributions[0].start < entry.at
        return "first_activity/forgotten" if known else "first_activity"
    if event == "re_engagement_user" and seen is not None and seen.state is not None:
        first = (seen.state.record_id, seen.state.device_key, seen.state.since)
        return "first_activity/user" if first == (entry.id, entry.device_key, entry.at) else ""
    return ""


def _might_fire(event: str, entry: Entry, platform: str) -> bool:
    """Whether the derived event is due for some records of this kind and name."""
    row = parse(event)
    if row is None or platform not in row.platforms:
        return False
    if row.family == "new_user":
        return True
    if row.family in _RETURNS:
        return entry.kind == "event" and entry.name in ACTIVITIES
    custom = event.partition(":")[2]
    return entry.kind == "event" and row.family == family_of(entry.name) and custom in ("", entry.name)
