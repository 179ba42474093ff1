"""Partitions claimed as a worker claims them, without the worker."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from confluent_kafka.admin import AdminClient

from streams import kafka
from streams.engine import fate, startup
from streams.engine.owners import Claim, Claims, Owners, Ownership
from streams.engine.producer import BarrierProducer, TransactionalProducer
from streams.engine.stages import Unit, changelog_topic, owners_topic
from streams.settings import Settings
from tests.support.topics import read_topic


def ensure_owners(settings: Settings) -> None:
    """The topic of the claims is there when this returns."""
    startup.ensure_owners(AdminClient(kafka.confluent_settings(settings)), settings)


def owners(settings: Settings) -> Owners:
    """As a process has them that begins now."""
    return Owners(settings, BarrierProducer(settings))


def claimants(settings: Settings, unit: Unit) -> list[str]:
    """Who claims the partition, the earliest first."""
    claims = Claims()
    for record in read_topic(settings.bootstrap_servers, owners_topic(settings)):
        claims.add(record.key or b"", record.value is not None)
    return claims.names(unit)


def ownership(
    settings: Settings, unit: Unit, name: str = "", reach: Collection[tuple[str, int]] = (), among: Owners | None = None
) -> Ownership:
    """Of a partition, for the writer of this name, or of a new one."""
    claim = Claim(unit, name or f"{settings.worker_id}-{uuid.uuid4().hex}")
    changelog = changelog_topic(settings, unit.stage)
    return Ownership(settings, among or owners(settings), claim, [(changelog, unit.number), *reach])


def owning(settings: Settings, unit: Unit, name: str, among: Owners | None = None) -> TransactionalProducer:
    """The producer of a process that has claimed the partition under this name."""
    producer = TransactionalProducer(settings, name)
    producer.start(fate.never)
    ownership(settings, unit, name, among=among).take(fate.never)
    return producer
