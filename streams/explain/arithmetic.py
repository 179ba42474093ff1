"""The arithmetic of the windows, in words: what lay how far from what, and what the rule makes of it. Pure."""

from __future__ import annotations

from schemas.config import DAY
from streams.attribution.entry import Entry
from streams.attribution.state import Attribution, Device
from streams.attribution.touches import DEFAULT_LOOKBACKS, SKEW, Lookbacks, eligible_touch
from streams.postbacks.index import Candidate

from .scene import Scene
from .words import count, exact, listed, moment, source


def lookback_arithmetic(entry: Entry, lookbacks: Lookbacks) -> str:
    """Why a record's touch counts or does not (contract §4)."""
    record = entry.record
    if not record.publisher_name and not record.agency_name:
        return "the record names neither publisher nor agency: no touch"
    at = entry.at if entry.clicked is None else entry.clicked
    known = record.publisher_name in lookbacks.by_name
    click, impression = lookbacks.by_name.get(record.publisher_name or "", DEFAULT_LOOKBACKS)
    kind, lookback = ("impression", impression) if record.touch_type == "impression" else ("click", click)
    place = "at the record's own time" if entry.clicked is not None else "with no time given, so the record's own"
    if at != entry.at:
        limit = lookback if at < entry.at else SKEW
        place = f"{exact(entry.at - at, limit)} {'before' if at < entry.at else 'after'} the record"
    names = listed(filter(None, (record.publisher_name, record.agency_name)))
    told = f"{names}: {kind} {place}; lookback {exact(lookback)}{'' if known else ' (the default)'}"
    if eligible_touch(entry, lookbacks) is not None:
        return f"{told}: counts"
    if at > entry.at + SKEW:
        return f"{told}, {exact(SKEW)} of clock skew allowed: it lies after the record and does not count"
    return f"{told}: too old, does not count"


def why_held(scene: Scene) -> str:
    """Why an event waits for an install, or has waited (contract §4, *Hold*)."""
    entry, released = scene.entry, scene.reading.release is not None
    device = (scene.reading.read_by if released else scene.reading.before) or Device()
    verb, may, then = ("was", "might", " when it was read") if released else ("is", "may", "")
    if device.held:
        holds = "held" if released else "holds"
        return f"the device {holds} {count(len(device.held), 'other record')} already{then}"
    if not device.attributions:
        return f"the device {verb} unknown{then}, and its install {may} still come from another topic"
    window = scene.app.inactivity_window if scene.app else 0
    return (
        f"the device {verb} dormant{then} (last activity or start {moment(device.clock)}, "
        f"{exact(entry.at - device.clock, window)} before, inactivity window {exact(window)}), and a re-install {may} "
        "still come from another topic"
    )


def claim_of(scene: Scene) -> Attribution | None:
    """The attribution that this install has given a source or an install to, as it was before; None: it is no claim."""
    fact, before = scene.reading.processed, scene.before
    if scene.entry.kind != "install" or fact is None or not before.attributions:
        return None
    for derived in fact.derived:
        if derived.event == "install" or derived.claim:
            number = derived.attribution.number
            return next((one for one in before.attributions if one.number == number), None)
    return None


def no_claim(scene: Scene) -> str:
    """Why an install claims nothing (contract §4, *Claim*)."""
    entry, device, app = scene.entry, scene.before, scene.app
    if not device.attributions or app is None:
        return ""
    if eligible_touch(entry, scene.lookbacks) is None:
        return f"It claims nothing: {lookback_arithmetic(entry, scene.lookbacks)}."
    first, installed = device.attributions[0], device.installed_at
    if first.touch is not None:
        return f"It claims nothing: the first attribution has a source, {source(first.touch)}."
    if installed is None:
        return "It claims nothing: no organic install is known."
    return (
        f"It claims nothing: the organic install at {moment(installed)} lies "
        f"{exact(entry.at - installed, app.claim_window)} away, `claim_window` is {exact(app.claim_window)}."
    )


def no_re_install(scene: Scene) -> str:
    """Why an install is no re-install."""
    device, entry, app = scene.before, scene.entry, scene.app
    if not device.attributions or app is None:
        return "it is the first install of the device"
    away = entry.at - device.clock
    if claim_of(scene) is not None:
        return "the install was a claim: it moves no window"
    if away < 0:
        return f"the device was active after it, at {moment(device.clock)}"
    return (
        f"the last activity or install was at {moment(device.clock)}, "
        f"{exact(away, app.inactivity_window)} before; a re-install comes after at least the inactivity window of "
        f"{exact(app.inactivity_window)}"
    )


def session_period(scene: Scene) -> str:
    """Which 24 hours a launch lies in, counted from which start (contract §5, `session`)."""
    fact, entry = scene.reading.processed, scene.entry
    found = None
    for session in fact.sessions if fact else ():
        candidate = scene.candidate
        everyone = candidate is None or candidate.postback.delivery_method == "all"
        if everyone or _is_of(session.attribution, candidate):
            found = session.attribution
            if not everyone:
                break
    if found is None:
        return "its 24-hour period has had its session, or is the first one"
    number = (entry.at - found.start) // DAY
    begin = found.start + number * DAY
    counted = f"counted from attribution {found.number} ({moment(found.start)}) it lies in the 24 hours from"
    if not number:
        return f"{counted} {moment(begin)}, the first ones, which have no session"
    used = scene.reading.life.sessions.get((found.number, number))
    by = f" by record {used.id} at {moment(used.at)}" if used else ""
    return f"{counted} {moment(begin)}, which have had their session{by}"


def _is_of(one: Attribution, candidate: Candidate | None) -> bool:
    if candidate is None or one.touch is None:
        return False
    agency = candidate.postback.delivery_method == "network_and_agency" and one.touch.agency_name in candidate.names
    return agency or one.touch.publisher_name in candidate.names
