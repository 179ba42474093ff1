"""The clues of the sentences: what was compared with what, and how far apart it lay. Pure.

Each is worked out only when a sentence asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from schemas.config import App
from schemas.touch import Touch
from streams.attribution.entry import Entry
from streams.attribution.state import Attribution
from streams.postbacks.index import Candidate

from .arithmetic import no_claim, no_re_install, session_period, why_held
from .scene import Scene
from .user_history import Earlier
from .words import attribution, campaign, count, exact, listed, moment, source

GONE = "before what the topics still hold"


class Clues(dict[str, str]):
    """Fills the braces of a sentence, asking only for what stands in it."""

    def __init__(self, scene: Scene, more: Mapping[str, str] | None = None) -> None:
        super().__init__(more or {})
        self._scene = scene

    def __missing__(self, name: str) -> str:
        return CLUES[name](self._scene)


def say(text: str, scene: Scene, **more: str) -> str:
    """The sentence with its clues. `more`: those that the caller knows."""
    return text.format_map(Clues(scene, more))


def _the_other(scene: Scene) -> str:
    """Which record a duplicate repeats."""
    entry = scene.entry
    for reading in scene.material.history.readings:
        if reading is scene.reading:
            break
        placed = reading.occurrence.placed
        taken = reading.fact is not None and reading.fact.result != "duplicate"
        if isinstance(placed, Entry) and (placed.kind, placed.id) == (entry.kind, entry.id) and taken:
            raw = reading.occurrence.raw
            return f"{raw.topic} partition {raw.partition} offset {raw.offset}, appended {moment(raw.appended)}"
    return GONE


def _oldest(scene: Scene) -> int:
    window = scene.app.dedup_window if scene.app else 0
    return max(scene.before.newest - window, scene.before.forgotten)


def _how_processed(scene: Scene) -> str:
    from .sentences import RELEASES

    release = scene.reading.release
    if release is None:
        return "decided when it was read"
    by = release.by
    return say(
        RELEASES[release.why],
        scene,
        due=moment(release.due),
        by="" if by is None else by.id,
        by_appended="" if by is None else moment(by.appended),
    )


def _derived(scene: Scene) -> Attribution | None:
    """The attribution that the event went by."""
    fact = scene.fact
    for derived in fact.derived if fact else ():
        if derived.event == scene.event:
            return derived.attribution
    return None


def _touch(scene: Scene) -> Touch | None:
    found = _derived(scene)
    return None if found is None else found.touch


def _goes_by(scene: Scene) -> str:
    found = _derived(scene)
    if found is None:
        return f"`{scene.event}` went by another one's attribution"
    organic = found.touch is None
    whose = "organic" + (", assumed: no install has been seen" if found.assumed else "")
    return f"`{scene.event}` goes by attribution {found.number}, {whose if organic else source(found.touch)}"


def _wanted_source(scene: Scene) -> str:
    if scene.candidate is None:
        return "another source"
    partner = scene.candidate.partner
    names = listed([partner.id, *partner.aliases], "or")
    both = scene.candidate.postback.delivery_method == "network_and_agency"
    return f"{names} as {'publisher or agency' if both else 'publisher'}"


def _consent(scene: Scene) -> str:
    consent = scene.entry.record.consent
    return "does not say `consent`" if consent is None else f"says `consent: {str(consent).lower()}`"


def _fired_by(scene: Scene, event: str, number: int) -> str:
    found = scene.reading.life.fired.get((event, number))
    return f"that was record {found.id} at {moment(found.at)}" if found else f"that was {GONE}"


def _the_first(scene: Scene) -> str:
    past = scene.past
    if past is None:
        return _fired_by(scene, scene.event, 0)
    one = past.firsts.get(scene.event)
    if past.is_whole:
        return f"that was record {_earlier(one)}" if one else f"that was {GONE}"
    before = f"record {_earlier(one)} came before it" if one else "the decisions say so"
    return f"{before}; which one was the first lies {GONE}"


def _earlier(one: Earlier) -> str:
    return f"{one.id} of device {one.device_key} at {moment(one.at)}"


def _period(scene: Scene) -> Attribution | None:
    fact = scene.reading.processed
    return None if fact is None else fact.period


def _the_first_since(scene: Scene) -> str:
    period = _period(scene)
    return _fired_by(scene, scene.event, period.number if period else 1)


def _the_first_install_was(scene: Scene) -> str:
    installed = scene.before.installed_at
    found = scene.reading.life.fired.get(("install", 0))
    by = f", by record {found.id}" if found else ""
    if installed is None:
        since = scene.before.attributions[0].start if scene.before.attributions else None
        return GONE if since is None else f"it has been known since {moment(since)}"
    return f"it was installed at {moment(installed)}{by}"


def _user_since(scene: Scene) -> str:
    user = scene.material.user
    if user is None or user.state is None:
        return "the user was seen before"
    seen = user.state
    return (
        f"the user {user.key} was first seen at {moment(seen.since)} on device {seen.device_key}, by record "
        f"{seen.record_id}"
    )


def _user_window(scene: Scene) -> str:
    window = scene.app.inactivity_window if scene.app else 0
    last = scene.past.last if scene.past else None
    if last is None:
        return f"the user was active on some device within the inactivity window of {exact(window)} before"
    away = exact(scene.entry.at - last.at, window)
    return (
        f"the user's last activity, or first record, was {away} before, record {_earlier(last)}; that is not more than "
        f"the inactivity window of {exact(window)}"
    )


def _user_newer(scene: Scene) -> str:
    past = scene.past
    if past is None or not past.is_whole or past.before is None:
        return "a newer one, of another device or of this one,"
    newest = past.before.newest
    return f"a newer one, of {moment(newest)}, {exact(newest - scene.entry.at)} later,"


def _is_users(scene: Scene) -> bool:
    return scene.past is not None


def _postback_said(read: Callable[[Candidate], str]) -> Callable[[Scene], str]:
    return lambda scene: "" if scene.candidate is None else read(scene.candidate)


def _app_said(read: Callable[[App], str]) -> Callable[[Scene], str]:
    return lambda scene: "" if scene.app is None else read(scene.app)


#: Name of a clue → how it is worked out.
CLUES: Mapping[str, Callable[[Scene], str]] = {
    "app_id": lambda s: s.material.device_key.partition("|")[0],
    "at": lambda s: moment(s.entry.at),
    "behind_newest": lambda s: exact(s.before.newest - s.entry.at, s.app.dedup_window if s.app else None),
    "campaign": lambda s: campaign(_touch(s)),
    "clock": lambda s: moment(s.before.clock),
    "consent": _consent,
    "dedup": _app_said(lambda app: exact(app.dedup_window)),
    "detail": lambda s: s.detail,
    "event": lambda s: s.event,
    "due": lambda s: moment((s.before.held_since or s.entry.appended) + (s.app.install_grace if s.app else 0)),
    "generation": lambda s: str(s.material.configuration.generation),
    "gone": lambda _s: GONE,
    "goes_by": _goes_by,
    "grace": _app_said(lambda app: exact(app.install_grace)),
    "held_since": lambda s: moment(s.before.held_since or s.entry.appended),
    "how_processed": _how_processed,
    "id": lambda s: s.entry.id,
    "inactivity": _app_said(lambda app: exact(app.inactivity_window)),
    "kind_word": lambda s: f"an {s.entry.kind}",
    "live_from": _app_said(lambda app: "" if app.live_from is None else moment(app.live_from)),
    "live_generation": lambda s: str(s.material.live.generation),
    "name": lambda s: s.entry.name,
    "newest": lambda s: moment(s.before.newest),
    "no_claim": no_claim,
    "no_re_install": no_re_install,
    "oldest": lambda s: moment(_oldest(s)),
    "owner": lambda s: "user" if _is_users(s) else "device",
    "partition": lambda s: str(s.material.partition),
    "partner": _postback_said(lambda candidate: candidate.partner.id),
    "period": lambda s: attribution(one) if (one := _period(s)) else "",
    "period_start": lambda s: moment(one.start) if (one := _period(s)) else "",
    "session_period": session_period,
    "since_clock": lambda s: exact(s.entry.at - s.before.clock, s.app.inactivity_window if s.app else None),
    "the_first": _the_first,
    "the_first_install": lambda s: (
        f", for record {one.id} at {moment(one.at)}"
        if (one := s.reading.life.fired.get((s.event, 0))) is not None
        else ""
    ),
    "the_first_install_was": _the_first_install_was,
    "the_first_since": _the_first_since,
    "the_other": _the_other,
    "unread": lambda s: count(s.reading.unread or 0, "other record"),
    "user_newer": _user_newer,
    "user_since": _user_since,
    "user_window": _user_window,
    "wanted_campaign": _postback_said(lambda candidate: candidate.postback.campaign or ""),
    "wanted_source": _wanted_source,
    "why_held": why_held,
    "worker": lambda s: s.worker,
}
