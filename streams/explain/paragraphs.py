"""The paragraphs of a record's story: when, what became of it, and what its device was to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.config import SECOND
from schemas.record import Install
from streams.attribution.entry import Entry
from streams.attribution.events import ACTIVITIES, TABLE, family_of
from streams.attribution.facts import Derived
from streams.attribution.state import Device, Reason
from streams.engine.letters import UNKNOWN_OFFSET

from .arithmetic import claim_of, lookback_arithmetic
from .clues import GONE, say
from .scene import Scene
from .sentences import DEAD, RESULTS
from .told import About
from .user_history import UserHistory, is_first
from .verdicts import decisions_of, is_undecided, user_past
from .words import REASONS, attribution, count, exact, in_iso, listed, moment, source, span

#: Attributions that are told one by one, at the most.
TOLD = 4


def paragraphs(scene: Scene, entry: Entry | None, result: str) -> Iterator[About]:
    """What there is to say of a reading with this result. `entry`: the record, if it has a place."""
    if entry is not None:
        yield About(about="time", text=_times(entry))
    yield About(about="result", text=_result_said(scene, result))
    if differs := _recorded_result(scene, entry, result):
        yield About(about="recorded", text=differs)
    reading = scene.reading
    yield from _letters(scene)
    if entry is None or scene.app is None or reading.processed is None or result not in ("processed", "reinstall"):
        if entry is not None and reading.before is not None and reading.before.attributions:
            yield About(about="device", text=_known(reading.before))
        return
    yield About(about="device", text=_device(scene))
    if result == "processed":
        yield About(about="order", text=_order(scene))
        if claim := _claim(scene):
            yield About(about="claim", text=claim)
        yield About(about="activity", text=_activity(scene))
    if touch := _touch(scene, entry):
        yield About(about="touch", text=touch)
    if reading.after is not None and reading.after.attributions:
        yield About(about="attribution", text=_attributions(scene))
    yield About(about="derived", text=_derived(scene, entry))
    if (past := user_past(scene)) is not None:
        yield About(about="user", text=_user(scene, past))


def _times(entry: Entry) -> str:
    away = entry.appended - entry.at
    record = entry.record
    written = record.install_timestamp if isinstance(record, Install) else record.event_timestamp
    if written in (None, ""):
        return f"own time {moment(entry.at)}: it has none of its own, so that of its append counts"
    order = f"{span(away)} {'later' if away > 0 else 'earlier'}" if away else "at the same time"
    return f"own time {moment(entry.at)}, appended {moment(entry.appended)} ({order})"


def _result_said(scene: Scene, result: str) -> str:
    refused = scene.reading.refused
    if result == "dead_letter" and refused is not None:
        letter = next((one for one in scene.material.recorded.letters if _is_of(one.offset, one.topic, scene)), None)
        reason, detail = (letter.reason, letter.detail) if letter else refused
        written = f"written {moment(letter.at)}" if letter else "but none is found there any more"
        why = DEAD.get(reason, "{detail}").format(detail=in_iso(detail))
        return f"It is a dead letter ({reason}): {why}. The dead letters hold it whole, {written}. It changed nothing."
    return say(RESULTS[result], scene)


def _letters(scene: Scene) -> Iterator[About]:
    """Dead letters of a record that could be read: of what followed from it."""
    for letter in scene.material.recorded.letters:
        if letter.kind == "input" and letter.offset == UNKNOWN_OFFSET:
            why = DEAD.get(letter.reason, "{detail}").format(detail=in_iso(letter.detail))
            yield About(about="dead letter", text=f"{moment(letter.at)}, {letter.reason}: {why}")


def _is_of(offset: int, topic: str, scene: Scene) -> bool:
    raw = scene.reading.occurrence.raw
    return (topic, offset) == (raw.topic, raw.offset)


def _recorded_result(scene: Scene, entry: Entry | None, result: str) -> str:
    """What the decisions topic says of the record as a whole, if it is something else."""
    if entry is None:
        return ""
    told = [one for one in decisions_of(scene.material, entry) if one.scope == "device" and one.result != "held"]
    if not told or result == "unread" or any(one.result == result for one in told):
        return ""
    if told[0].result == "duplicate" and _is_repeated(scene, entry):
        return ""  # that was said of its double, which was appended in the same moment
    return (
        f"The decisions topic says `{told[0].result}` (decided {moment(told[0].decided_at)}, generation "
        f"{told[0].generation}), and that counts: the topics do not reach back to all that was known then, or the "
        "configuration has changed."
    )


def _is_repeated(scene: Scene, entry: Entry) -> bool:
    facts = (reading.fact for reading in scene.material.history.readings)
    doubles = (fact.entry for fact in facts if fact is not None and fact.result == "duplicate")
    return any((one.kind, one.id, one.appended) == (entry.kind, entry.id, entry.appended) for one in doubles)


def _known(device: Device) -> str:
    first = device.attributions[0]
    latest = device.attributions[-1]
    now = "" if latest is first else f"; by then in attribution {attribution(latest)} since {moment(latest.start)}"
    return (
        f"known since {moment(first.start)} ({REASONS[first.reason]}, {source(first.touch)}"
        f"{', assumed' if first.assumed else ''}){now}"
    )


def _device(scene: Scene) -> str:
    if not scene.before.attributions:
        gone = scene.reading.life.forgotten
        if gone is None or scene.app is None:
            return "new: this is its first appearance"
        return (
            f"new: this is its first appearance since it was forgotten. Before, nothing of it had been appended after "
            f"{moment(gone.appended_s * SECOND)}, for longer than {exact(scene.app.forget_after or 0)} (`forget_after`)"
        )
    return _known(scene.before)


def _order(scene: Scene) -> str:
    before, entry, app = scene.before, scene.entry, scene.app
    if not before.attributions or app is None:
        return "the first record of the device, so not late"
    if entry.at < before.newest and claim_of(scene) is not None:
        return (
            f"late: its own time lies {exact(before.newest - entry.at)} before the newest of the device, "
            f"{moment(before.newest)}. A claim may be late"
        )
    if entry.at < before.newest:
        return (
            f"late: its own time lies "
            f"{exact(before.newest - entry.at, app.dedup_window)} before the newest of the device, "
            f"{moment(before.newest)}. It opens no attribution and moves no window. Too late would be before "
            f"{moment(max(before.newest - app.dedup_window, before.forgotten))} (`dedup_window` "
            f"{exact(app.dedup_window)})"
        )
    return f"not late: the newest before it was at {moment(before.newest)}"


def _activity(scene: Scene) -> str:
    """The arithmetic of the inactivity window."""
    before, entry, app = scene.before, scene.entry, scene.app
    if app is None or not before.attributions:
        return "the inactivity clock starts with it"
    window, away = exact(app.inactivity_window), entry.at - before.clock
    apart = exact(away, app.inactivity_window)
    last = f"last activity or start {moment(before.clock)}, {apart} {'before' if away >= 0 else 'after'}"
    if entry.at < before.newest and claim_of(scene) is None:
        return f"{last}; a late record moves no window"
    if entry.kind == "install":
        return f"{last}; inactivity window {window}: {_install_was(scene, away)}"
    if entry.name not in ACTIVITIES:
        return f"`{entry.name}` is no activity: it neither moves the inactivity clock nor re-engages"
    if away > app.inactivity_window:
        return f"{last}; inactivity window {window}: a re-engagement"
    return f"{last}; inactivity window {window}: no re-engagement"


def _install_was(scene: Scene, away: int) -> str:
    app = scene.app
    if claim_of(scene) is not None:
        return "a claim, which moves no window"
    return "a re-install" if away >= (app.inactivity_window if app else 0) else "inside it"


def _claim(scene: Scene) -> str:
    """What an install gives its source to, and how that comes."""
    claimed, app = claim_of(scene), scene.app
    after = scene.reading.after
    if claimed is None or app is None or after is None:
        return ""
    now = next((one for one in after.attributions if one.number == claimed.number), claimed)
    whose = "organic, with an install that was seen" if now.touch is None else f"that of {source(now.touch)}"
    given = f"Attribution {now.number} is now {whose}"
    stays = "its number and start, the inactivity clock and the used firsts stay"
    if claimed.assumed:
        return (
            "the device was assumed organic, since no install had been seen, and this install claims it, however much "
            f"later it comes: `install` fires with the install's own source. {given}; {stays}"
        )
    installed = claimed.start if claimed.number > 1 else scene.before.installed_at or claimed.start
    what = "re-install" if claimed.number > 1 else "install"
    return (
        f"the organic {what} at {moment(installed)} had no source, and this one, "
        f"{exact(scene.entry.at - installed, app.claim_window)} away, claims it (`claim_window` "
        f"{exact(app.claim_window)}). {given}; {stays}"
    )


def _touch(scene: Scene, entry: Entry) -> str:
    """The arithmetic of the lookback, where a touch would count for something."""
    fact = scene.reading.processed
    period = fact.period if fact else None
    starts = period is not None and period.start == entry.at and period.reason is not Reason.FIRST_RECORD
    web = scene.app is not None and scene.app.platform == "web"
    if entry.kind == "install" or starts or web:
        return lookback_arithmetic(entry, scene.lookbacks)
    if entry.record.publisher_name or entry.record.agency_name:
        return "the record names a source, but starts no attribution, so that does not count"
    return ""


def _attributions(scene: Scene) -> str:
    device, fact = scene.reading.after or Device(), scene.reading.processed
    told = [*device.attributions[:1], *device.attributions[1:][-(TOLD - 1) :]]
    lines = [f"{attribution(one)} since {moment(one.start)}, by {REASONS[one.reason]}" for one in told]
    skipped = len(device.attributions) - len(told)
    if skipped:
        lines.insert(1, f"… {count(skipped, 'more')} …")
    period = fact.period if fact else None
    within = f". The record lies in attribution {period.number}" if period is not None else ""
    return "; ".join(lines) + within


def _derived(scene: Scene, entry: Entry) -> str:
    """The derived events, those of the user too."""
    fact, material = scene.reading.processed, scene.material
    if fact is None:
        return "none"
    fired = [_one(derived) for derived in fact.derived]
    past = user_past(scene)
    if past is not None and not is_undecided(material.user, "user"):
        fired += [_one(derived, " of the user") for derived in past.fact.derived]
    if scene.app is not None and scene.app.platform == "web" and not _web_forms(entry):
        none = f"`{entry.name}` has none of its own on the web (`ringback events --platform web` lists what there is)"
        return f"{listed(fired)}; {none}" if fired else none
    if fired:
        return listed(fired)
    if fact.result == "reinstall":
        return "none: a reinstall emits no install event"
    return "none: no derived event is due for such a record"


def _one(derived: Derived, whose: str = "") -> str:
    claim = ", a claim" if derived.claim else ""
    one = derived.attribution
    return f"{derived.event}{whose} (by attribution {one.number}, {source(one.touch)}{claim})"


def _web_forms(entry: Entry) -> bool:
    if entry.kind == "install":
        return False
    family = family_of(entry.name)
    return any(row.family == family and "web" in row.platforms for row in TABLE)


def _user(scene: Scene, past: UserHistory) -> str:
    seen, entry, app = scene.material.user, scene.entry, scene.app
    assert seen is not None
    if seen.state is None:
        return f"{seen.key}: the user stage has not seen it yet"
    user = seen.state
    if is_first(user, entry):
        return f"{seen.key}: first seen with this record"
    told = f"{seen.key}: first seen {moment(user.since)} on device {user.device_key}, by record {user.record_id}"
    last, window = past.last, app.inactivity_window if app else 0
    if not past.is_whole or last is None or past.before is None:
        return f"{told}. What else came before this record lies {GONE}"
    if past.fact.late:
        return f"{told}. Late: the newest of the user before it was at {moment(past.before.newest)}"
    away = exact(entry.at - last.at, window)
    return (
        f"{told}. Last activity, or first record: {last.id} of device {last.device_key} at {moment(last.at)}, {away} "
        f"before; inactivity window {exact(window)}"
    )
