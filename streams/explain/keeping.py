"""Which topics there are, and what the worker keeps of devices and users. Blocks; raises `Stop`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka.admin import AdminClient

from schemas.config import Configuration, Source
from streams import kafka, topics
from streams.attribution import state
from streams.config import follow
from streams.config.problems import did_you_mean
from streams.engine.holds import device_row
from streams.engine.recovery import MARKER_KEY, Marker
from streams.engine.stages import StageName, changelog_topic
from streams.engine.users import user_row
from streams.errors import Stop
from streams.settings import Settings

from .found import Kept
from .scanning import Place, Scanner, Span, Tell

_SURROGATES = "surrogatepass"


class Told(NamedTuple):
    """A state as a worker tells it (None: there is none), its partition, and by topic the offset behind what is
    applied.
    """

    row: bytes | None
    partition: int
    positions: dict[str, int]


#: Asks a worker for the state of a device or user, by its key; None: the changelog must be read.
Look = Callable[[StageName, str], Told | None]


@dataclass
class Site:
    """Where is looked: the live configuration, how many partitions the inputs have, and which of our topics exist.
    `look`: states are asked of a worker.
    """

    settings: Settings
    live: Configuration
    partitions: int
    inputs: list[Source]
    exists: set[str]
    scanner: Scanner
    look: Look | None = None
    names: kafka.Topics = field(init=False)
    #: By topic all partitions of the sources that are rekeyed.
    rekeyed: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = kafka.Topics(self.settings.topic_prefix)

    def has_state(self, stage: StageName) -> bool:
        """Whether a worker has made the changelog of this stage."""
        return changelog_topic(self.settings, stage) in self.exists


def site(settings: Settings, admin: AdminClient, tell: Tell) -> Site:
    """Reads the live configuration, and which topics there are."""
    names = kafka.Topics(settings.topic_prefix)
    if not topics.look(admin, [names.config]):
        raise _unconfigured(settings)
    live = follow.read_current(settings)
    if live is None:
        raise _unconfigured(settings)
    changelogs = [changelog_topic(settings, "device"), changelog_topic(settings, "user")]
    ours = [row.name for row in kafka.topic_table(settings.topic_prefix)]
    found = topics.look(admin, [*(source.topic for source in live.sources), *ours, *changelogs])
    inputs = [source for source in live.sources if source.topic in found]
    if not inputs:
        named = ", ".join(source.topic for source in live.sources)
        raise Stop(f"none of the input topics exists: {named}", "`ringback topics list` shows what is there")
    partitions = topics.inputs_of(inputs, settings.topic_prefix, found, settings.partitions)
    rekeyed = {source.topic: list(range(found[source.topic].partitions)) for source in inputs if source.rekey}
    return Site(settings, live, partitions, inputs, set(found), Scanner(settings, admin, tell), rekeyed=rekeyed)


def _unconfigured(settings: Settings) -> Stop:
    return Stop(
        f"there is no configuration under the prefix {settings.topic_prefix}",
        "look at RINGBACK_TOPIC_PREFIX and RINGBACK_BOOTSTRAP_SERVERS; before the first `ringback apply` nothing is "
        "decided",
    )


def unknown_app(at: Site, app_id: str) -> str | None:
    """That no such app is configured, and which ones are; None when it is."""
    return _unknown("app", app_id, [app.id for app in at.live.apps])


def unknown_project(at: Site, project: str) -> str | None:
    """The same of a project, the first part of a user key."""
    return _unknown("project", project, sorted({app.project for app in at.live.apps}))


def _unknown(what: str, name: str, known: list[str]) -> str | None:
    if name in known:
        return None
    near = did_you_mean(name, known)
    return f"no {what} {name} is configured; there are {', '.join(known) or 'none'}" + (f" ({near})" if near else "")


def partition_of(device_key: str, partitions: int) -> int:
    """Where a device's records, and what is written about them, lie."""
    return kafka.partition_of(device_key.encode("utf-8", _SURROGATES), partitions)


def kept(at: Site, device_key: str) -> Kept:
    """What the worker keeps of a device: what it says itself, or the newest row of its key in the device stage's
    changelog.
    """
    found = Kept()
    told = at.look("device", device_key) if at.look is not None else None
    if told is not None:
        found.positions = told.positions
        if told.row is not None:
            found.device, found.size = _device(told.row), len(told.row)
        return found
    topic = changelog_topic(at.settings, "device")
    if topic not in at.exists:
        return found
    rows = _rows(at, (topic, partition_of(device_key, at.partitions)), [device_row(device_key), MARKER_KEY])
    marker, device = rows.get(MARKER_KEY), rows.get(device_row(device_key))
    if marker is not None:
        found.positions = Marker.decode(marker).positions
    if device is not None:
        found.device, found.size = _device(device), len(device)
    return found


def _device(row: bytes) -> state.Device:
    try:
        return state.decode(row)
    except state.UnknownVersionError as error:
        raise Stop(f"this device's state cannot be read: {error}", "use the workers' release of Ringback") from None


def users_partition(at: Site, user_key: str) -> int:
    """Where a user's records and state lie."""
    key = user_key.encode("utf-8", _SURROGATES)
    return kafka.partition_of(key, kafka.users_partitions(at.partitions))


def user_state(at: Site, user_key: str) -> tuple[bytes | None, int]:
    """A user's state as it is stored (None: there is none), and its partition."""
    told = at.look("user", user_key) if at.look is not None else None
    if told is not None:
        return told.row, told.partition
    number = users_partition(at, user_key)
    topic = changelog_topic(at.settings, "user")
    if topic not in at.exists:
        return None, number
    return _rows(at, (topic, number), [user_row(user_key)]).get(user_row(user_key)), number


def _rows(at: Site, place: Place, keys: Iterable[bytes]) -> dict[bytes, bytes]:
    """The newest values of some keys of a compacted partition."""
    wanted = frozenset(keys)
    found: dict[bytes, bytes] = {}
    spans: dict[Place, Span] = at.scanner.spans([place], None)
    for message in at.scanner.read(spans):
        key = message.key()
        if key in wanted and key is not None:
            value = message.value()
            if value is None:
                found.pop(key, None)
            else:
                found[key] = value
    return found
