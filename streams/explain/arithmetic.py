"""The arithmetic of the windows, in words: what lay how far from what, and what the rule makes of it. Pure."""

from __future__ import annotations

from schemas.config import DAY
from streams.attribution.entry import Entry
from streams.attribution.state import Attribution
from streams.attribution.touches import DEFAULT_LOOKBACKS, SKEW, Lookbacks, eligible_touch
from streams.postbacks.index import Candidate

from .scene import Scene
from .words import count, listed, moment, source, span


def lookback_arithmetic(entry: Entry, lookbacks: Lookbacks) -> str:
    """Why a record's touch counts or does not (contract §4)."""
    record = entry.record
    if not record.publisher_name and not record.agency_name:
        return "the record names neither publisher nor agency: no touch"
    at = entry.at if entry.clicked is None else entry.clicked
    known = record.publisher_name in lookbacks.by_name
    click, impression = lookbacks.by_name.get(record.publisher_name or "", DEFAULT_LOOKBACKS)
    kind, lookback = ("impression", impression) if record.touch_type == "impression" else ("click", click)
    place = "at the record's own time"
    if at != entry.at:
        place = f"{span(entry.at - at)} {'before' if at < entry.at else 'after'} the record"
    names = listed(filter(None, (record.publisher_name, record.agency_name)))
    told = f"{names}: {kind} {place}; lookback {span(lookback)}{'' if known else ' (the default)'}"
    if eligible_touch(entry, lookbacks) is not None:
        return f"{told}: counts"
    if at > entry.at + SKEW:
        return f"{told}, {span(SKEW)} of clock skew allowed: it lies after the record and does not count"
    return f"{told}: too old, does not count"


def why_held(scene: Scene) -> str:
    """Why an event waits for an install (contract §4, *Hold*)."""
    device, entry = scene.before, scene.entry
    if device.held:
        return f"the device holds {count(len(device.held), 'other record')} already"
    if not device.attributions:
        return "the device is unknown, and its install may still come from another topic"
    window = scene.app.inactivity_window if scene.app else 0
    return (
        f"the device is dormant (last activity or start {moment(device.clock)}, {span(entry.at - device.clock)} "
        f"before, inactivity window {span(window)}), and a re-install may still come from another topic"
    )


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
        f"It claims nothing: the organic install at {moment(installed)} lies {span(entry.at - installed)} away, "
        f"`claim_window` is {span(app.claim_window)}."
    )


def no_re_install(scene: Scene) -> str:
    """Why an install is no re-install."""
    device, entry, app = scene.before, scene.entry, scene.app
    if not device.attributions or app is None:
        return "it is the first install of the device"
    away = entry.at - device.clock
    if away >= app.inactivity_window:
        return "the install was a claim: it gave a source to an install that had none"
    if away < 0:
        return f"the device was active after it, at {moment(device.clock)}"
    return (
        f"the last activity or install was at {moment(device.clock)}, {span(away)} before; a re-install comes after at "
        f"least the inactivity window of {span(app.inactivity_window)}"
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
    used = scene.material.history.sessions.get((found.number, number))
    by = f" by record {used.id} at {moment(used.at)}" if used else ""
    return f"{counted} {moment(begin)}, which have had their session{by}"


def _is_of(one: Attribution, candidate: Candidate | None) -> bool:
    if candidate is None or one.touch is None:
        return False
    agency = candidate.postback.delivery_method == "network_and_agency" and one.touch.agency_name in candidate.names
    return agency or one.touch.publisher_name in candidate.names
