"""What comes of an example, computed by the pure core: the rows of its table, and the periods of its devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from schemas.config import DAY, HOUR, MINUTE, SECOND
from schemas.job import Job
from streams.attribution.facts import Fact
from streams.attribution.state import Attribution, Device, Reason
from tests.examples.histories import LAKE, PARTNERS, START, Example, Record, appended
from tests.examples.story import Story, Told, placed

REASONS = {
    Reason.INSTALL: "install",
    Reason.FIRST_RECORD: "first record",
    Reason.RE_INSTALL: "re-install",
    Reason.RE_ENGAGEMENT: "re-engagement",
    Reason.VISIT: "visit with a click",
}
NAMES = {**PARTNERS, LAKE: "Lake"}


class Row(NamedTuple):
    """What became of a record: its number, when it happened, what it is, what became of it, and which postbacks fired
    (partner, events). `counts` is false when it changed nothing.
    """

    number: int
    when: str
    what: str
    became: str
    sent: list[tuple[str, list[str]]]
    counts: bool


class Band(NamedTuple):
    """A period of a device: its number, who it belongs to in the end, and until which record it was somebody else's."""

    number: int
    start: int
    source: str
    before: str | None = None
    until: int = 0


class Timeline(NamedTuple):
    """An example with all that comes of it. `bands` by device."""

    example: Example
    rows: list[Row]
    bands: dict[str, list[Band]]


def computed(example: Example) -> Timeline:
    """Run an example through the pure core."""
    configuration = example.configuration()
    story, teller = Story(configuration), _Teller(example)
    rows: list[Row] = []
    for number, written in enumerate(example.written()):
        entry = placed(configuration, written, number, appended(example.records[number]))
        for told in story.read(entry):
            rows.append(teller.row(told))
    rows += [teller.row(told) for told in story.read_past()]
    bands = {key: teller.bands(key, device) for key, device in story.devices.items()}
    return Timeline(example, rows, bands)


def source(attribution: Attribution) -> str:
    """Who an attribution belongs to, as a word."""
    if attribution.touch is None:
        return "assumed organic" if attribution.assumed else "organic"
    return NAMES[attribution.touch.publisher_name or ""]


class _Teller:
    """Tells facts in words. Remembers which attributions have been told of, and whose they were."""

    def __init__(self, example: Example) -> None:
        self._records = {f"r-{number}": (number, record) for number, record in enumerate(example.records, start=1)}
        self._devices = len({record.device for record in example.records})
        self._daily = "session" in example.about
        self._same_day = all(record.at < DAY for record in example.records)
        self._known: dict[tuple[str, int], str] = {}
        self._before: dict[tuple[str, int], tuple[str, int]] = {}
        self._held: set[int] = set()

    def row(self, told: Told) -> Row:
        number, record = self._records[told.fact.entry.id]
        return Row(
            number,
            when(record.at, self._same_day),
            _what(record, self._same_day, self._devices > 1),
            ", ".join(self._became(told.fact, number)),
            _sent(told.jobs),
            told.fact.result in ("processed", "held"),
        )

    def bands(self, key: str, device: Device) -> list[Band]:
        """The periods of a device as they are in the end."""
        return [
            Band(one.number, one.start - START, source(one), *self._before.get((key, one.number), ()))
            for one in device.attributions
        ]

    def _became(self, fact: Fact, number: int) -> Iterator[str]:
        if fact.result == "held":
            self._held.add(number)
            yield "held: its install may still come"
            return
        if fact.result == "too_late":
            yield "too late: it changes nothing"
            return
        if number in self._held:
            yield "released"
        if fact.result == "reinstall":
            yield "a reinstall: it changes nothing"
        assert fact.period is not None
        known, now = self._known.get(key := (fact.entry.device_key, fact.period.number)), source(fact.period)
        if known is None:
            yield f"#{fact.period.number} begins ({REASONS[fact.period.reason]}): {now}"
        elif known != now:
            self._before[key] = (known, number)
            yield f"a claim: #{fact.period.number} was {known}, now {now}"
        elif fact.result == "processed":
            yield f"in #{fact.period.number}, {now}" + (" (late)" if fact.late else "")
        self._known[key] = now
        if self._daily and fact.sessions:
            yield _periods(fact)


def _periods(fact: Fact) -> str:
    since = [(one.attribution.number, (fact.entry.at - one.attribution.start) // DAY + 1) for one in fact.sessions]
    return " and ".join(f"24-hour period {period} of #{number}" for number, period in reversed(since))


def _what(record: Record, same_day: bool, with_device: bool) -> str:
    said = record.name + (f" on device {record.device}" if with_device else "")
    said += f" of user {record.user}" if record.user else ""
    if record.by:
        said += f", click of {NAMES[record.by]}"
        if record.click is not None:
            said += f" {length(record.at - record.click)} before"
    if record.read is not None:
        said += f", read at {when(record.read, same_day)}"
    return said


def _sent(jobs: list[Job]) -> list[tuple[str, list[str]]]:
    """The events that each partner gets."""
    by_partner: dict[str, list[str]] = {}
    for job in jobs:
        of_user = " of the user" if job.postback_id.endswith("first_payment-user") else ""
        by_partner.setdefault(job.partner, []).append(f"`{job.event}`{of_user}")
    return list(by_partner.items())


def when(at: int, same_day: bool = False) -> str:
    """A time from the start on, as short as it can be: `day 40`, `day 1, 02:00`, `10:00:31`."""
    day, rest = divmod(at, DAY)
    hours, minutes, seconds = rest // HOUR, rest % HOUR // MINUTE, rest % MINUTE // SECOND
    clock = f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
    if same_day:
        return clock
    return f"day {day}" + (f", {clock}" if rest else "")


def length(duration: int) -> str:
    """A duration in its two largest units, from a week on in days: `38 d`, `1 d 2 h`, `30 s`."""
    if duration >= 7 * DAY:
        return f"{duration // DAY} d"
    said = []
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        count, duration = divmod(duration, unit)
        if count:
            said.append(f"{count} {name}")
    return " ".join(said[:2]) or "0"
