"""What everybody must agree on about Kafka: topic names, how the topics are kept, client settings, where a key lies.

Both client libraries get their settings from one table, `OPTIONS`, so that a broker which one can reach the other can
reach too.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from streams.errors import USAGE, Stop
from streams.settings import Settings

if TYPE_CHECKING:
    from confluent_kafka import Producer

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

#: A batch may write to every partition of the users topic, and a transaction costs more with each partition it touches.
MAX_USERS_PARTITIONS = 16

#: What our topics take. A job and a decision have at most 1,000,000 bytes (`streams.engine.batch.Limits`), with a key
#: and Kafka's framing beside it; and librdkafka gathers small records into batches of as much (`batch.size`), which a
#: topic refuses whole. No more than what a broker takes by default, so that topics of anybody's making will do.
LARGEST_BATCH = 1024 * 1024

#: A dead letter carries a record that may be as large as a broker takes by default (1 MiB), in base64.
LARGEST_DEAD_LETTER = 2 * 1024 * 1024

#: How long admin clients believe what they have heard of topics.
METADATA_AGE_MS = 1_000

#: The delay topics: tier k holds jobs for 8·2ᵏ s.
TIERS_MS = tuple(8_000 * 2**k for k in range(9))
TIER_NAMES = tuple(f"{tier // 1000}s" for tier in TIERS_MS)


class Topics:
    """The names of our own topics under a prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.users = prefix + "users"
        self.delivery = prefix + "delivery"
        self.receipts = prefix + "receipts"
        self.dead_letters = prefix + "dead-letters"
        self.decisions = prefix + "decisions"
        self.report = prefix + "report"
        self.config = prefix + "config"
        self.control = prefix + "control"
        self.senders = prefix + "senders"

    def retry(self, tier: int | str) -> str:
        """The delay topic of a tier, given as milliseconds (8000) or name (`8s`)."""
        return f"{self.prefix}delivery.retry.{tier if isinstance(tier, str) else f'{tier // 1000}s'}"

    def retries(self) -> tuple[str, ...]:
        """Every delay topic, shortest first."""
        return tuple(self.retry(tier) for tier in TIERS_MS)


@dataclass(frozen=True)
class TopicRow:
    """How one of our topics is kept, and what it `holds`. `retention` in ms; None: for ever, compacted. `count`: its
    partition number. `largest`: bytes of the largest record, or batch of small ones, that it must take. `segment`:
    after so long (ms) a segment is closed, which is what is deleted; None: as the broker has it.

    `input`: as many as the input topics; `users`: the same, at most `MAX_USERS_PARTITIONS`; `one`: one.
    """

    name: str
    holds: str
    count: Literal["input", "users", "one"]
    retention: int | None
    append_time: bool = False
    largest: int = LARGEST_BATCH
    segment: int | None = None

    def config(self) -> dict[str, str]:
        """The topic's Kafka configuration."""
        config = {"cleanup.policy": "compact" if self.retention is None else "delete"}
        if self.retention is not None:
            config["retention.ms"] = str(self.retention)
        if self.append_time:
            config["message.timestamp.type"] = "LogAppendTime"
        if self.segment is not None:
            config["segment.ms"] = str(self.segment)
        config["max.message.bytes"] = str(self.largest)
        return config

    def partitions(self, inputs: int) -> int:
        """How many partitions it has when the input topics have `inputs`."""
        return {"input": inputs, "users": users_partitions(inputs), "one": 1}[self.count]


def users_partitions(inputs: int) -> int:
    """How many partitions the users topic, and with it the user stage, has when the input topics have `inputs`."""
    return min(MAX_USERS_PARTITIONS, inputs)


def largest_state(record_bytes: int) -> int:
    """What the changelog must take when records and states may have `record_bytes`: as much beside them as above."""
    return max(LARGEST_BATCH, record_bytes + LARGEST_BATCH - 1_000_000)


def topic_table(prefix: str) -> tuple[TopicRow, ...]:
    """Every topic of ours (contract §2). Input topics are the user's, changelogs the engine's."""
    topics = Topics(prefix)
    return (
        TopicRow(topics.users, "what the device stage tells the user stage", "users", DAY_MS),
        TopicRow(topics.delivery, "jobs that are due now", "input", 7 * DAY_MS),
        # The order within a delay topic is the order of due times only if the broker stamps the records.
        *(
            TopicRow(name, "jobs that wait, for about as long as the name says", "input", 7 * DAY_MS, append_time=True)
            for name in topics.retries()
        ),
        TopicRow(topics.receipts, "one record for each attempt, and a terminal one for each job", "input", 30 * DAY_MS),
        TopicRow(
            topics.dead_letters,
            "jobs that failed and input that cannot be read, whole; notes of what was replayed or purged of them",
            "input",
            30 * DAY_MS,
            largest=LARGEST_DEAD_LETTER,
        ),
        TopicRow(topics.decisions, "what was decided for a record, and why not", "input", 7 * DAY_MS),
        TopicRow(topics.report, "daily counts for reports", "input", None),
        TopicRow(topics.config, "apps, partners and postbacks, by generation", "one", None),
        TopicRow(topics.control, "pauses, holds and purges of partners and postbacks", "one", None),
        TopicRow(
            topics.senders,
            "how the senders share the partners' limits",
            "one",
            HOUR_MS,
            append_time=True,
            segment=HOUR_MS,
        ),
    )


class Option(NamedTuple):
    """A client option: librdkafka's name, aiokafka's argument (None: it goes into the TLS context), its type there."""

    confluent: str
    aiokafka: str | None
    kind: type = str


#: What `kafka_options` may say to both clients. Options that are not here reach librdkafka only: they tune, they do not
#: connect.
OPTIONS = (
    Option("security.protocol", "security_protocol"),
    Option("sasl.mechanism", "sasl_mechanism"),
    Option("sasl.mechanisms", "sasl_mechanism"),
    Option("sasl.username", "sasl_plain_username"),
    Option("sasl.password", "sasl_plain_password"),
    Option("sasl.kerberos.service.name", "sasl_kerberos_service_name"),
    Option("client.id", "client_id"),
    Option("metadata.max.age.ms", "metadata_max_age_ms", int),
    Option("retry.backoff.ms", "retry_backoff_ms", int),
    Option("connections.max.idle.ms", "connections_max_idle_ms", int),
    Option("ssl.ca.location", None),
    Option("ssl.ca.pem", None),
    Option("ssl.certificate.location", None),
    Option("ssl.key.location", None),
    Option("ssl.key.password", None),
    Option("ssl.endpoint.identification.algorithm", None),
    Option("enable.ssl.certificate.verification", None),
)
#: Ways to connect that only librdkafka has; refused, or the worker could not follow.
ONE_SIDED = ("sasl.oauthbearer", "ssl.keystore", "ssl.certificate.pem", "ssl.key.pem", "ssl.engine", "ssl.providers")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI")


def confluent_settings(settings: Settings, **more: Any) -> dict[str, Any]:
    """librdkafka's configuration for any client; `more` is written with underscores (`group_id="x"`). Raises `Stop`.

    Its log lines go to our own logs, not to standard error, and are written when the client is polled.
    """
    check(settings)
    common: dict[str, Any] = {
        "bootstrap.servers": settings.bootstrap_servers,
        "client.id": "ringback",
        # A broker that is away for a minute must not be met with a storm, nor be found again only after ten seconds.
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "logger": logging.getLogger("kafka"),
    }
    return {**common, **settings.kafka_options, **{_option_name(name): value for name, value in more.items()}}


def _option_name(written: str) -> str:
    """`group_id` → `group.id`; callbacks (`error_cb`, `on_delivery`) keep their underscore."""
    return written if written.endswith("_cb") or written.startswith("on_") else written.replace("_", ".")


def admin_settings(settings: Settings, **more: Any) -> dict[str, Any]:
    """A confluent-kafka admin client that may be kept. After a change of leader what it asks is refused, for its epoch
    is an old one, until what it has heard of topics is too old to be believed, and it hears of them again: 15 minutes
    by default.
    """
    return confluent_settings(settings, **{"metadata_max_age_ms": METADATA_AGE_MS, **more})


def producer_settings(settings: Settings, **more: Any) -> dict[str, Any]:
    """A confluent-kafka producer that keeps order, sends nothing twice, and places keys as all Kafka clients do."""
    ours = {"enable_idempotence": True, "partitioner": "murmur2_random", "compression_type": settings.compression}
    return confluent_settings(settings, **{**ours, **more})


def let_go(producer: Producer, within: float = 1.0) -> None:
    """Before a producer of transactions is dropped: forgets what it has not sent, and waits for the answers to the
    rest, for so long (seconds) at most. From any thread that may wait.

    librdkafka 2.16 frees a text twice, and the process is aborted, when a client that has met an error (it was fenced
    off, say) is told of another one while it ends (`rd_kafka_txn_set_fatal_error` after `rd_kafka_txns_term`). So one
    that has still not been answered is kept until the next is let go of; and what is under way is not purged, for then
    nobody would know of it.
    """
    until = time.monotonic() + within
    while not (gone := _is_answered(producer, 0.05)) and time.monotonic() < until:
        pass
    with _letting_go:
        _unanswered[:] = [one for one in _unanswered if not _is_answered(one, 0)]
        if not gone:
            _unanswered.append(producer)


def _is_answered(producer: Producer, within: float) -> bool:
    from confluent_kafka import KafkaException

    # Time and again: what was under way to a broker that is gone waits to be sent once more.
    producer.purge(in_flight=False)
    if len(producer):
        with contextlib.suppress(KafkaException):
            producer.poll(within)
    return not len(producer)


_unanswered: list[Producer] = []
_letting_go = threading.Lock()


def consumer_settings(settings: Settings, **more: Any) -> dict[str, Any]:
    """A confluent-kafka consumer that sees committed records only and commits nothing by itself."""
    ours = {"isolation_level": "read_committed", "enable_auto_commit": False, "enable_auto_offset_store": False}
    return confluent_settings(settings, **{**ours, "auto_offset_reset": "earliest", **more})


def asking_settings(settings: Settings, group: str) -> dict[str, Any]:
    """A confluent-kafka consumer that asks what a group has committed, and never joins it; what a transaction under way
    will commit is not waited for. An admin client may not be asked: while the group's coordinator comes up, the process
    ends in librdkafka 2.16 (`list_consumer_group_offsets`, SIGSEGV).
    """
    return consumer_settings(settings, group_id=group, isolation_level="read_uncommitted")


def aiokafka_settings(settings: Settings) -> dict[str, Any]:
    """The connection arguments of every aiokafka client. Raises `Stop` when the options cannot be followed."""
    check(settings)
    arguments: dict[str, Any] = {"bootstrap_servers": settings.bootstrap_servers, "client_id": "ringback"}
    for option in OPTIONS:
        if option.aiokafka and (value := settings.kafka_options.get(option.confluent)) is not None:
            arguments[option.aiokafka] = option.kind(value)
    protocol = arguments["security_protocol"] = arguments.get("security_protocol", "PLAINTEXT").upper()
    if protocol.endswith("SSL"):
        arguments["ssl_context"] = _tls_context(settings.kafka_options)
    return arguments


def check(settings: Settings) -> None:
    """Refuse options that one of the two clients cannot follow, before either has started. Raises `Stop`."""
    options = settings.kafka_options
    mechanism = options.get("sasl.mechanism", options.get("sasl.mechanisms", "PLAIN")).upper()
    if mechanism not in MECHANISMS:
        raise Stop(
            f"kafka_options: sasl.mechanism {mechanism} is not supported", f"use one of {', '.join(MECHANISMS)}", USAGE
        )
    for name in options:
        if name.startswith(ONE_SIDED):
            raise Stop(
                f"kafka_options: {name} is not supported",
                "give PEM files: ssl.ca.location, ssl.certificate.location …",
                USAGE,
            )
    for option in OPTIONS:
        if option.kind is int and not options.get(option.confluent, "0").isdigit():
            raise Stop(f"kafka_options: {option.confluent} must be a whole number", exit_code=USAGE)
    if problem := _refusal(tuple(sorted(options.items()))):
        raise Stop(f"kafka_options: {problem}", "look the option up in librdkafka's CONFIGURATION.md", USAGE)


@lru_cache(maxsize=16)
def _refusal(options: tuple[tuple[str, str], ...]) -> str:
    """What librdkafka itself has against the options, in its words; empty when nothing. Connects to nothing."""
    if not options:
        return ""
    from confluent_kafka import KafkaException, Producer

    try:
        Producer({**dict(options), "logger": logging.getLogger("kafka")})
    except KafkaException as error:
        return str(error.args[0].str())
    return ""


def _tls_context(options: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.get("ssl.ca.location"), cadata=options.get("ssl.ca.pem"))
        if certificate := options.get("ssl.certificate.location"):
            context.load_cert_chain(certificate, options.get("ssl.key.location"), options.get("ssl.key.password"))
    except (OSError, ssl.SSLError) as error:
        raise Stop(f"kafka_options: the TLS files cannot be used: {error}", "look at the ssl.* paths", USAGE) from error
    if options.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if options.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


# Both are called for every record that is read or placed: the words of a key are unpacked at once, by a format made
# once per length.
@lru_cache(maxsize=1024)
def _words(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")


def murmur2(data: bytes) -> int:
    """The hash of Kafka's default partitioner (Java's `Utils.murmur2`), unsigned."""
    length = len(data)
    h = 0x9747B28C ^ length
    m = 0x5BD1E995
    whole = length >> 2
    for k in _words(whole).unpack_from(data):
        k = k * m & 0xFFFFFFFF
        h = (h * m & 0xFFFFFFFF) ^ ((k ^ k >> 24) * m & 0xFFFFFFFF)
    if rest := data[whole << 2 :]:
        h = (h ^ int.from_bytes(rest, "little")) * m & 0xFFFFFFFF
    h = (h ^ h >> 13) * m & 0xFFFFFFFF
    return h ^ h >> 15


def partition_of(key: bytes, count: int) -> int:
    """The partition of `key` among `count`, as Kafka's default partitioner (`murmur2_random`) places it."""
    return (murmur2(key) & 0x7FFFFFFF) % count
