"""The story of one record: what it is, what was compared with what, and what each postback said. Pure."""

from __future__ import annotations

from dataclasses import replace

from schemas.config import App
from streams.attribution.entry import Entry
from streams.attribution.users import user_key
from streams.postbacks.index import Index

from .found import Material, Reading, Refused
from .paragraphs import paragraphs
from .scene import Scene
from .told import Answer, Place, Story
from .verdicts import answers


def stories(material: Material, index: Index) -> list[Story]:
    """A story for each occurrence of the record, in the order in which they were read."""
    wanted = material.record_id
    return [_story(material, index, reading) for reading in material.history.readings if is_called(reading, wanted)]


def is_called(reading: Reading, wanted: str) -> bool:
    """Whether a record has this id, or lies where the id of a record without one would say."""
    raw, placed = reading.occurrence.raw, reading.occurrence.placed
    if wanted == f"{raw.topic}-{raw.partition}-{raw.offset}":
        return True
    # What is refused was kept for its id already.
    return isinstance(placed, Refused) or placed.id == wanted


def _story(material: Material, index: Index, reading: Reading) -> Story:
    raw, placed = reading.occurrence.raw, reading.occurrence.placed
    app = index.apps.get(material.device_key.partition("|")[0])
    if isinstance(placed, Entry) and app is not None and placed.record.user_id:
        key = user_key(app, placed.record.user_id)
        material = replace(material, user=material.users.get(key, material.user))
    scene = Scene(material, reading, app, index.lookbacks, fact=reading.processed, worker=material.worker)
    place = Place(topic=raw.topic, partition=raw.partition, offset=raw.offset, appended=raw.appended)
    entry = placed if isinstance(placed, Entry) else None
    result = result_of(reading)
    # What was recorded of a duplicate is the other record's: the same id gives the same jobs.
    postbacks = answers(scene, index) if entry is not None and result not in ("duplicate", "unread") else []
    return Story(
        record_id=entry.id if entry else material.record_id,
        device_key=material.device_key,
        kind=entry.kind if entry else raw.source.record,
        event_name=entry.name if entry else "",
        at=entry.at if entry else None,
        place=place,
        result=result,
        late=reading.processed is not None and reading.processed.late,
        said=list(paragraphs(scene, entry, result)),
        postbacks=postbacks,
        others=_others(material, app, postbacks) if result in ("processed", "reinstall") or postbacks else {},
        generation=material.configuration.generation,
    )


def result_of(reading: Reading) -> str:
    """What became of a record: a key of `schemas.decision.RESULTS`, `unread` or `dead_letter`."""
    if reading.unread is not None:
        return "unread"
    if reading.refused is not None:
        return "unknown_app" if reading.refused.reason == "unknown_app" else "dead_letter"
    if reading.processed is not None:
        return reading.processed.result
    return "held"


def _others(material: Material, app: App | None, postbacks: list[Answer]) -> dict[str, str]:
    if app is None:
        return {}
    told = {one.postback_id for one in postbacks}
    found = (one for one in material.configuration.postbacks if one.app == app.id and one.id not in told)
    return {one.id: one.match_event or one.event for one in found}
