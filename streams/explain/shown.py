"""Stories as lines of text. Pure: the caller says how wide, and whether in colour."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator

from streams.attribution.events import Fires
from streams.attribution.state import Device

from .found import Looked, Material
from .timeline import firsts
from .told import About, Answer, DeviceStory, Listing, Story, UserStory
from .words import count, listed, moment

WIDTH = 80
LABEL = 12
#: The column of events' names in a list of records.
NAME_WIDTH = 20

#: What became of a job → its mark, and the kind of text that the mark is. Without a job: the empty word.
MARKS = {
    "delivered": ("✓", "yes"),
    "waiting": ("…", "doubt"),
    "unknown": ("?", "doubt"),
    "failed": ("✗", "no"),
    "suppressed": ("✗", "no"),
    "expired": ("✗", "no"),
    "": ("✗", "no"),
}

#: Marks a piece of text, by what it is: `yes`, `no`, `doubt`, `head`.
Paint = Callable[[str, str], str]


def plain(text: str, _kind: str) -> str:
    """No colours."""
    return text


def clean(text: str) -> str:
    """Names and values come from topics: none may move the cursor."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def wrapped(text: str, indent: int, width: int = WIDTH) -> list[str]:
    """The text in lines; a word that is too long for one stays whole, so that it can be copied."""
    return textwrap.wrap(clean(text), max(20, width - indent), break_long_words=False, break_on_hyphens=False) or [""]


def _labelled(about: About, width: int) -> Iterator[str]:
    lines = wrapped(about.text, LABEL + 2, width)
    yield f"  {about.about:<{LABEL}}{lines[0]}"
    yield from (" " * (LABEL + 2) + line for line in lines[1:])


def story_lines(story: Story, paint: Paint = plain, width: int = WIDTH, everything: bool = False) -> Iterator[str]:
    """A record's story."""
    name = f"{story.kind} `{story.event_name}`" if story.kind == "event" and story.event_name else story.kind
    yield from (paint(line, "head") for line in wrapped(f"{name} {story.record_id} of {story.device_key}", 0, width))
    place = story.place
    lies = f"{place.topic} partition {place.partition} offset {place.offset}, appended {moment(place.appended)}"
    yield from _labelled(About(about="read from", text=lies), width)
    for about in story.said:
        yield from _labelled(about, width)
    if story.postbacks or story.others:
        yield ""
        yield paint(f"postbacks, by generation {story.generation}", "head")
    for answer in story.postbacks:
        yield from _answer(answer, paint, width)
    yield from _others(story, width, everything)


def _answer(answer: Answer, paint: Paint, width: int) -> Iterator[str]:
    mark, kind = MARKS[answer.job.outcome if answer.job is not None else ""]
    job = f" → job {answer.job.job_id}" if answer.job is not None and answer.job.job_id else ""
    yield f"  {paint(mark, kind)} {clean(answer.postback_id)} ({clean(answer.event)}){job}"
    yield from (f"      {line}" for line in wrapped(answer.text, 6, width))
    for attempt in answer.job.attempts if answer.job else ():
        for number, line in enumerate(wrapped(attempt.text, 8, width)):
            yield f"      {'- ' if not number else '  '}{line}"
    if answer.note:
        for number, line in enumerate(wrapped(answer.note, 8, width)):
            yield f"      {paint('!', 'doubt') if not number else ' '} {line}"


def _others(story: Story, width: int, everything: bool) -> Iterator[str]:
    if not story.others:
        return
    if everything:
        for postback, event in story.others.items():
            yield f"  · {clean(postback)}: fires on `{clean(event)}`"
        return
    what = f"a `{story.event_name}`" if story.kind == "event" else "an install"
    others = count(len(story.others), "other postback")
    verb = "does" if len(story.others) == 1 else "do"
    yield from (
        f"  {line}" for line in wrapped(f"· {others} of the app {verb} not fire on {what}; --all lists them", 2, width)
    )


def device_lines(story: DeviceStory, paint: Paint = plain, width: int = WIDTH) -> Iterator[str]:
    """A device's timeline."""
    head = f"device {story.device_key}, partition {story.partition}"
    yield from (paint(line, "head") for line in wrapped(head, 0, width))
    if not story.attributions:
        yield "  not known yet: what it did is held"
    for period in story.attributions:
        yield f"  {moment(period.start)}  attribution {period.number}, by {period.reason}"
        yield from (f"      {line}" for line in wrapped(period.text, 6, width))
    yield ""
    for about in story.said:
        yield from _labelled(about, width)


def user_lines(story: UserStory, paint: Paint = plain, width: int = WIDTH) -> Iterator[str]:
    """A user's state."""
    head = f"user {story.user_key}, users partition {story.partition}"
    yield from (paint(line, "head") for line in wrapped(head, 0, width))
    for about in story.said:
        yield from _labelled(about, width)


def listing_lines(listing: Listing, paint: Paint = plain) -> Iterator[str]:
    """A device's records, one a line; the id comes last, so that it can be copied whatever it is."""
    yield paint(f"records of {clean(listing.device_key)}, by own time", "head")
    if listing.older:
        yield f"  … {count(listing.older, 'older one')}"
    names = [clean(one.event_name or one.kind) for one in listing.records]
    width = min(max(map(len, names), default=0), NAME_WIDTH)
    for one, name in zip(listing.records, names, strict=True):
        when = "-" if one.at is None else moment(one.at)
        late = " late" if one.late else ""
        yield f"  {when:<24}  {name:<{width}}  {one.result + late:<14}  {clean(one.record_id)}"


def looked_lines(looked: Iterable[Looked]) -> Iterator[str]:
    """What was looked through for a record, a line for each topic."""
    for one in looked:
        when = "no records" if one.first is None or one.last is None else f"{moment(one.first)} to {moment(one.last)}"
        gone = ", older ones are gone or were left out" if one.truncated else ""
        yield f"{one.topic} partition {one.partition}: {count(one.records, 'record')}, {when}{gone}"


def wrong_key(asked_for: str, device_key: str) -> Iterator[str]:
    """That a device has another key than the one it was asked for by."""
    if asked_for and asked_for != device_key:
        yield (
            f"no record is of {asked_for}: the device's key is {device_key}, since identifiers of this kind are "
            "lower-cased"
        )


def doubts(material: Material) -> Iterator[str]:
    """What the reader of a story must know of how it was made."""
    yield from wrong_key(material.asked_for, material.device_key)
    live, used = material.live.generation, material.configuration.generation
    if material.generation is not None and material.generation != used:
        yield (
            f"generation {material.generation}, which decided this record, is not kept any more: the rules are those "
            f"of generation {used}, the live one"
        )
    elif used != live:
        yield f"decided under generation {used}; generation {live} is in force now"
    if material.kept.positions is None:
        yield (
            f"there is no state of a worker of the group {material.worker}, but something was recorded: was it another "
            "group (RINGBACK_WORKER_ID)?"
        )
    now, then = material.kept.device, material.history.device
    if now is not None and then is not None and now.attributions and then.attributions:
        ours = [(one.number, one.start) for one in then.attributions]
        theirs = [(one.number, one.start) for one in now.attributions]
        if ours != theirs:
            yield (
                f"the worker's state of this device begins at {moment(theirs[0][1])} and is at attribution "
                f"{theirs[-1][0]}; the input topics alone come to {moment(ours[0][1])} and {ours[-1][0]}: they do not "
                "reach back to its beginning, or the configuration has changed. Where something was recorded, that "
                "counts"
            )
        elif used_before := _used_only(now, then):
            yield (
                f"the worker's state of this device has used {listed(used_before)}, and no record in the input topics "
                "did: they do not reach back to its beginning, or the configuration has changed. Where something was "
                "recorded, that counts"
            )


def _used_only(now: Device, then: Device) -> list[str]:
    """The firsts that one state has used and another one, with the same attributions, has not."""
    used = firsts(now.firsts & ~then.firsts, Fires.LIFETIME)
    for ours, theirs in zip(now.attributions, then.attributions, strict=True):
        used += firsts(ours.firsts & ~theirs.firsts, Fires.PERIOD)
    return list(dict.fromkeys(used))
