"""Every setting of every process: the fields of `Settings` are the table.

A setting comes from the environment (`RINGBACK_<NAME>`), or from `ringback.yaml` in the working directory (or the file
that `RINGBACK_CONFIG_FILE` names), or has its default, in this order. Durations are written `50ms`, `30s`, `5m`, `1h`,
`2d` and are milliseconds in code; sizes are written `64KiB`, `128MiB`, `1GiB` and are bytes in code.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from streams.errors import USAGE, Stop

PREFIX = "RINGBACK_"
DEFAULT_FILE = "ringback.yaml"

#: Variables with our prefix that are no settings: where the file is, and what the test suite is told.
OTHER_VARIABLES = re.compile(r"CONFIG_FILE|TEST_\w+")
#: What Kubernetes puts into every container for a Service named `ringback…`: not ours to refuse.
SERVICE_LINKS = re.compile(r"(\w+_)?(SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP)\w*)?)")

#: Kafka options that decide correctness: they are ours, and naming one in `kafka_options` is refused.
OUR_KAFKA_OPTIONS = frozenset(
    {
        "acks",
        "auto.offset.reset",
        "bootstrap.servers",
        "compression.codec",
        "compression.type",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "group.id",
        "group.instance.id",
        "isolation.level",
        "partitioner",
        "transactional.id",
    }
)
SECRET_KAFKA_OPTION = re.compile(r"password|secret|token|\.pem$|sasl\.jaas")

#: `{port}`: that of the process.
LOOKUP_URL = r"^(https?://[^\s/?#@{}]+(\{port\})?(/[^\s?#{}]*)?)?$"

SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_duration(written: object) -> int:
    """`30s` as milliseconds. An integer is taken as milliseconds already; raises ValueError for anything else."""
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)", str(written).strip(), re.ASCII)
    if match is None:
        raise ValueError(f"{written!r} is not a duration: write a number with a unit, such as 50ms, 30s, 5m, 1h or 2d")
    return round(float(match[1]) * UNITS[match[2]])


def duration_text(milliseconds: int) -> str:
    """A duration in its largest whole unit, as `parse_duration` reads it: `30d`, `90s`."""
    unit = next(unit for unit, size in reversed(UNITS.items()) if milliseconds % size == 0)
    return f"{milliseconds // UNITS[unit]}{unit}" if milliseconds else "0s"


def parse_size(written: object) -> int:
    """`128MiB` as bytes. An integer is taken as bytes already; raises ValueError for anything else."""
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)\s*(B|KiB|MiB|GiB)", str(written).strip(), re.ASCII)
    if match is None:
        raise ValueError(f"{written!r} is not a size: write a number with a unit, such as 64KiB, 128MiB or 1GiB")
    return round(float(match[1]) * SIZES[match[2]])


def size_text(size: int) -> str:
    """A size in its largest whole unit, as `parse_size` reads it: `128MiB`."""
    unit = next(unit for unit, one in reversed(SIZES.items()) if size % one == 0)
    return f"{size // SIZES[unit]}{unit}" if size else "0B"


def _parse_networks(written: object) -> tuple[str, ...]:
    """Comma-separated CIDRs (or a list of them), each checked."""
    parts = written if isinstance(written, list | tuple) else str(written).split(",")
    return tuple(str(ipaddress.ip_network(str(part).strip())) for part in parts if str(part).strip())


def _parse_kafka_options(written: object) -> dict[str, str]:
    """A JSON object or a mapping of librdkafka option names to values."""
    if isinstance(written, str):
        try:
            written = json.loads(written or "{}")
        except ValueError as error:
            raise ValueError(f'not JSON ({error}): write an object such as {{"security.protocol": "SSL"}}') from None
    options = dict(written) if isinstance(written, Mapping) else None
    if options is None:
        raise ValueError("write a mapping of Kafka option names to values")
    if ours := sorted(OUR_KAFKA_OPTIONS & set(options)):
        raise ValueError(f"{', '.join(ours)}: set by Ringback itself and not to be changed here")
    return {str(name): _option_text(value) for name, value in options.items()}


def _check_token(token: SecretStr) -> SecretStr:
    if token.get_secret_value() and not re.fullmatch(r"[!-~]{16,500}", token.get_secret_value()):
        raise ValueError("a token is 16 to 500 printable ASCII characters, without spaces")
    return token


def _option_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


#: How a value is written that was read by this.
TEXTS: Mapping[Any, Callable[[int], str]] = {parse_duration: duration_text, parse_size: size_text}

Duration = Annotated[int, BeforeValidator(parse_duration), Field(ge=0)]
Size = Annotated[int, BeforeValidator(parse_size), Field(ge=0)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parse_networks)]
KafkaOptions = Annotated[dict[str, str], NoDecode, BeforeValidator(_parse_kafka_options)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Token = Annotated[SecretStr, AfterValidator(_check_token)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=200)]


class Settings(BaseSettings):
    """What a process is told at its start. Read-only; `load` makes it from the environment and the file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    bootstrap_servers: str = Field("127.0.0.1:9092", min_length=1, description="Kafka brokers, host:port with commas.")
    topic_prefix: str = Field(
        "ringback.",
        pattern=r"^[A-Za-z0-9._-]*$",
        max_length=150,
        description="What the names of Ringback's own topics begin with.",
    )
    kafka_options: KafkaOptions = Field(
        {},
        description="More librdkafka options, JSON or a mapping: security.protocol, sasl.*, ssl.* …",
    )
    state_dir: Path = Field(
        Path("ringback-state"), description="Where a worker keeps its state (RocksDB): for each process another one."
    )
    metrics_host: str = Field(
        "0.0.0.0", description="Address that /metrics, /healthz and /readyz are served on; 0.0.0.0: all."
    )
    metrics_port: Port = Field(9464, description="Port of the worker's probes; 0: any that is free.")
    sender_metrics_port: Port = Field(9465, description="Port of the sender's probes; 0: any that is free.")
    lookup_port: Port | None = Field(
        None, description="Port on which a worker tells `ringback state` about devices; empty: none, 0: any."
    )
    lookup_host: str = Field("127.0.0.1", description="Address of that port; one that others reach needs a token.")
    lookup_token: Token = Field(
        SecretStr(""), description="Secret that whoever looks up must show: the same in workers and commands."
    )
    lookup_url: str = Field(
        "",
        pattern=LOOKUP_URL,
        max_length=300,
        description="What others reach a worker's look-ups under (default: its host and port; `{port}` is the port), "
        "and commands ask.",
    )
    api_port: Port = Field(8080, description="Port of the inbound and admin API.")
    egress_allow: Networks = Field(
        (), description="Networks (CIDR, with commas) that the sender may call although they are not public."
    )
    worker_id: Name = Field(
        "ringback-worker", description="The workers' consumer group: those that share it share the work."
    )
    sender_group: Name = Field(
        "ringback-sender", description="The senders' consumer group: those that share it share the work."
    )
    session: Duration = Field(
        10_000,
        ge=1_000,
        le=1_800_000,
        description="A worker that is not heard of for so long loses its partitions; with an instance_id, the time in "
        "which a restart moves none. Brokers take 6s to 30m, unless they are told otherwise.",
    )
    instance_id: str = Field(
        "", pattern=r"^[A-Za-z0-9._-]*$", description="Static membership: one name per process, kept over restarts."
    )
    worker_processes: int = Field(
        1,
        ge=0,
        le=64,
        description="How many processes `ringback worker` is, under one parent when several; 0: as many as "
        "there are cores.",
    )
    sender_processes: int = Field(1, ge=0, le=64, description="The same for `ringback sender`.")
    decisions_level: Literal["off", "nos", "all"] = Field(
        "nos", description="What the decisions topic tells: nothing, why there is no job or no effect, or everything."
    )
    partitions: int = Field(
        8, ge=1, le=1000, description="How many `topics create` gives, when no input topic exists yet."
    )
    replication: int = Field(1, ge=1, le=32_767, description="Replication factor of the topics that are created.")
    compression: Literal["zstd", "snappy", "lz4", "gzip", "none"] = Field(
        "zstd", description="How what is written to Kafka is compressed."
    )
    batch_records: int = Field(2_000, ge=1, le=100_000, description="Most input records in one checkpoint.")
    max_record_bytes: int = Field(
        1_000_000, ge=1_000, le=5_000_000, description="A larger input record is a dead letter."
    )
    standbys: int = Field(
        0, ge=0, le=10, description="How many other workers keep a warm copy of each partition's state."
    )
    recoveries: int = Field(
        4, ge=1, le=64, description="Partitions whose state a worker reads back at once; the others wait their turn."
    )
    stuck_after: Duration = Field(
        60_000, ge=1_000, description="A partition with work that has not moved for so long is stuck: /healthz says so."
    )
    stuck_exit: Duration = Field(
        60_000, description="A process that stays stuck for so long ends itself, to be restarted; 0s: never."
    )
    store_cache: Size = Field(
        128 << 20, ge=8 << 20, description="Memory of a worker for what it has read of its state (RocksDB's blocks)."
    )
    store_buffers: Size = Field(
        128 << 20, ge=8 << 20, description="Memory of a worker for what it has written of its state (memtables)."
    )
    fetch_buffers: Size = Field(
        128 << 20, ge=16 << 20, description="Memory of a worker for input that waits to be processed, about."
    )
    producer_buffers: Size = Field(
        128 << 20, ge=16 << 20, description="Memory of a worker for what is on its way to Kafka, at most."
    )
    changelog_segment: Size = Field(
        64 << 20, ge=1 << 20, le=1 << 30, description="Segment size of the changelogs: the newest one is not compacted."
    )
    changelog_dirty_ratio: float = Field(
        0.3, gt=0, lt=1, description="Share of a changelog that may be outdated before it is compacted."
    )
    changelog_compaction_lag: Duration = Field(
        86_400_000, ge=60_000, description="A changelog is compacted after so long, however little is outdated."
    )
    hold_limit: int = Field(1_000, ge=1, description="Most records of a device that wait for its install.")
    sweep_rows: int = Field(
        4_000,
        ge=1,
        description="Rows of its state that a worker looks at in a second for what `forget_after` lets it delete.",
    )
    dead_letter_window: int = Field(
        1_000, ge=1, description="Over so many newest records of a source the bad ones are counted."
    )
    dead_letter_limit: int = Field(
        50, ge=1, le=100, description="More than so many % of that window bad: the source pauses."
    )
    commit_interval: Duration = Field(50, ge=1, description="How often a sender commits outcomes.")
    grace: Duration = Field(30_000, description="Time to finish what is under way after SIGTERM.")
    prefetch: int = Field(
        1_000,
        ge=1,
        description="Jobs a sender keeps in memory per partition; "
        "five times as many more may wait there for their last seconds.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, otherwise JSON.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings


class SettingsError(Stop):
    """The settings are wrong; `problems` has a line for each."""

    def __init__(self, problems: list[str], remedy: str = "`ringback settings` lists every setting") -> None:
        super().__init__("\n".join(problems), remedy, USAGE)
        self.problems = problems


def load(**overrides: object) -> Settings:
    """The settings of this process; `overrides` (of the command line) win. Raises `SettingsError` with all problems."""
    path, from_file, problems = _read_file()
    problems += _unknown_variables()
    # The environment wins, so that one file can serve machines which differ in a setting.
    given = {name: value for name, value in from_file.items() if not os.environ.get(PREFIX + name.upper())}
    settings = None
    try:
        settings = Settings(**{**given, **overrides})  # type: ignore[arg-type]
    except ValidationError as error:
        problems += [_describe(dict(one), overrides, path) for one in error.errors(include_url=False)]
    if PREFIX + "CONFIG_FILE" in os.environ and problems and not Path(path).is_file():
        raise SettingsError(problems, f"correct or unset {PREFIX}CONFIG_FILE")
    if problems or settings is None:
        raise SettingsError(problems)
    return settings


def _read_file() -> tuple[str, dict[str, object], list[str]]:
    """The file's name, its settings, and what is wrong with it as a file."""
    named = os.environ.get(PREFIX + "CONFIG_FILE", "")
    path = Path(named or DEFAULT_FILE)
    if not named and not path.is_file():
        return str(path), {}, []
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return str(path), {}, [f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"]
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        return str(path), {}, [f"{place} {getattr(error, 'problem', None) or 'not YAML'}"]
    if document is None:
        return str(path), {}, []
    if not isinstance(document, dict):
        return str(path), {}, [f"{path}: expected a mapping of settings"]
    known = {
        str(name): value for name, value in document.items() if name in Settings.model_fields and value is not None
    }
    problems = [f"{path}: {_unknown(str(name))}" for name in document if name not in Settings.model_fields]
    # A bare number is text here as it is in the environment: `grace: 30` must not pass as 30 ms.
    return str(path), {name: str(v) if type(v) in (int, float) else v for name, v in known.items()}, problems


def _unknown_variables() -> list[str]:
    names = (name[len(PREFIX) :] for name in sorted(os.environ) if name.startswith(PREFIX))
    known = {name.upper() for name in Settings.model_fields}
    others = (
        n for n in names if n not in known and not OTHER_VARIABLES.fullmatch(n) and not SERVICE_LINKS.fullmatch(n)
    )
    return [f"{PREFIX}{name}: {_unknown(name.lower(), variable=True)}" for name in others]


def _unknown(name: str, variable: bool = False) -> str:
    near = difflib.get_close_matches(name, list(Settings.model_fields), n=1, cutoff=0.6)
    said = (PREFIX + near[0].upper() if variable else near[0]) if near else ""
    subject = "no such setting" if variable else f"no such setting `{name}`"
    return f"{subject}; did you mean {said}?" if near else subject


def _describe(error: dict[str, Any], overrides: Mapping[str, object], path: str) -> str:
    """One line for one error: where the value was set, what is wrong with it, and the value unless it may be secret."""
    name = str(error["loc"][0]) if error["loc"] else ""
    variable = PREFIX + name.upper()
    place = name if name in overrides else variable if os.environ.get(variable) else f"{path}: {name}"
    message = str(error["msg"]).removeprefix("Value error, ")
    quiet = name in ("kafka_options", "lookup_token") or str(error["input"]) in message
    found = "" if quiet else f" (found {error['input']!r})"
    return f"{place}: {message[:1].lower()}{message[1:]}{found}"


def shown(settings: Settings, name: str) -> str:
    """A setting's value for people: secrets masked, durations with a unit."""
    value = getattr(settings, name)
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if name == "kafka_options":
        return json.dumps({key: "***" if SECRET_KAFKA_OPTION.search(key) else text for key, text in value.items()})
    for part in Settings.model_fields[name].metadata:
        if isinstance(part, BeforeValidator) and part.func in TEXTS:
            return TEXTS[part.func](value)
    return ",".join(value) if isinstance(value, tuple) else str(value)


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a child process the same settings. Holds secrets, if the settings do."""
    given = sorted(settings.model_fields_set)
    secret = {
        "kafka_options": json.dumps(settings.kafka_options),
        "lookup_token": settings.lookup_token.get_secret_value(),
    }
    return {PREFIX + name.upper(): secret.get(name, shown(settings, name)) for name in given}
