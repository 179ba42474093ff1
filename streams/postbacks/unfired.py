"""Why a derived event did not fire on a record on which it might have: what the decisions tell at level `all`."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.decision import Verdict
from streams.attribution import events
from streams.attribution.fold import Fact
from streams.postbacks.index import Bucket, Index, Scope

#: Why a row did not fire, by how often it does.
_BY_FIRES = {
    events.Fires.LIFETIME: "not_first",
    events.Fires.PERIOD: "not_first_since",
    events.Fires.DAILY: "same_period",
}
#: What befalls a device or a user, on which records it might, and why it did not.
_BEFALLS: dict[str, str] = {
    "install": "not_first",
    "re_install": "inside_window",
    "re_engagement": "inside_window",
    "new_user": "not_first",
    "re_engagement_user": "inside_window",
}


def unfired(index: Index, fact: Fact, scope: Scope) -> Iterator[Verdict]:
    """A no for each postback whose derived event this record might have been, of a record that was processed or is a
    reinstall.
    """
    if fact.result not in ("processed", "reinstall"):
        return
    app_id = fact.entry.record.app_id
    fired = {derived.event for derived in fact.derived}
    for event, reason in _possible(fact, scope, index.apps[app_id].platform):
        bucket = index.bucket(app_id, event, scope)
        if bucket is None:
            continue
        if event == events.SESSION:
            yield from _sessions(bucket, fact, event in fired)
        elif event not in fired:
            for candidate in bucket.every:
                yield Verdict(postback_id=candidate.postback.id, event=event, reason=reason)


def _possible(fact: Fact, scope: Scope, platform: str) -> Iterator[tuple[str, str]]:
    """The derived events that such a record might be, each with the reason why it is not."""
    name = fact.entry.name
    families = _befalling(fact, scope)
    for row in events.TABLE:
        if scope not in row.scopes or platform not in row.platforms:
            continue
        if row.family in families:
            reason = _BEFALLS[row.family]
            yield row.name, "late" if fact.late and reason == "inside_window" else reason
        elif fact.entry.kind == "event" and row.family == events.family_of(name) and row.fires in _BY_FIRES:
            yield row.name.replace(events.NAME, name), _BY_FIRES[row.fires]


def _befalling(fact: Fact, scope: Scope) -> frozenset[str]:
    """What this record might have been to its device or user."""
    active = fact.entry.name in events.ACTIVITIES and not fact.appears
    if scope == "user":
        return frozenset({"new_user", "re_engagement_user"} if active else {"new_user"})
    if fact.entry.kind == "install":
        # The install of a device, or the claim of it, is no second one.
        is_first = any(derived.event == "install" for derived in fact.derived)
        return frozenset() if is_first else frozenset({"install", "re_install"})
    return frozenset({"re_engagement"} if active else ())


def _sessions(bucket: Bucket, fact: Fact, fired: bool) -> Iterator[Verdict]:
    """The postbacks for which a launch is no session, each by the start that it counts from. One before all starts is
    so late that there is nothing to count from, for nobody.
    """
    if not fact.sessions:
        for candidate in bucket.every:
            yield Verdict(postback_id=candidate.postback.id, event=events.SESSION, reason="late")
        return
    if not fired:
        for candidate in bucket.everyone:
            yield Verdict(postback_id=candidate.postback.id, event=events.SESSION, reason="same_period")
    counted = set()
    for candidate, session in bucket.since(fact.sessions):
        counted.add(candidate.postback.id)
        if not session.due:
            yield Verdict(postback_id=candidate.postback.id, event=events.SESSION, reason="same_period")
    counted.update(candidate.postback.id for candidate in bucket.everyone)
    for candidate in bucket.every:
        if candidate.postback.id not in counted:
            yield Verdict(postback_id=candidate.postback.id, event=events.SESSION, reason="other_source")
