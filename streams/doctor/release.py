"""Which version of Kafka a broker is: neither client library tells, so it is asked for on the wire.

A broker names its version nowhere, but since 3.3 it says which levels of the feature `metadata.version` it supports,
and each release has a highest one.
"""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

from streams import kafka
from streams.settings import Settings

FEATURE = "metadata.version"

#: The first level of each release (org.apache.kafka.server.common.MetadataVersion).
RELEASES = {
    "3.3": 1,
    "3.4": 8,
    "3.5": 9,
    "3.6": 12,
    "3.7": 15,
    "3.8": 20,
    "3.9": 21,
    "4.0": 22,
    "4.1": 26,
    "4.2": 28,
    "4.3": 30,
    "4.4": 31,
}
NEWEST = "4.4"


def release(level: int | None) -> str:
    """The release with this highest level; None: the broker has no such feature."""
    if level is None:
        return "older than 3.3, or not Kafka itself"
    named = [name for name, first in RELEASES.items() if first <= level]
    return f"{named[-1]} or newer" if named[-1] == NEWEST else named[-1]


def caps_insync(level: int | None) -> bool:
    """Whether such a broker takes a min.insync.replicas larger than the number of replicas for that number."""
    return level is not None and level >= RELEASES["3.7"]


def highest_level(settings: Settings, timeout: float) -> int | None:
    """The highest `metadata.version` that a broker supports, None when it does not tell.

    Blocks up to `timeout` seconds; raises TimeoutError or aiokafka's errors.
    """
    return asyncio.run(asyncio.wait_for(_ask(settings), timeout))


async def _ask(settings: Settings) -> int | None:
    from aiokafka.client import AIOKafkaClient

    client = AIOKafkaClient(**kafka.aiokafka_settings(settings))
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), _request())
        return _level(answer.tags.get(0, b""))
    finally:
        await client.close()


def _request() -> Any:
    """ApiVersions in version 3, the first that tells features; aiokafka itself asks up to version 2."""
    from aiokafka.protocol import api, types

    text = types.CompactString("utf-8")

    class Answer(api.Response):  # type: ignore[misc]
        API_KEY = 18
        API_VERSION = 3
        SCHEMA = types.Schema(
            ("error_code", types.Int16),
            (
                "api_versions",
                types.CompactArray(
                    ("api_key", types.Int16),
                    ("min_version", types.Int16),
                    ("max_version", types.Int16),
                    ("tags", types.TaggedFields),
                ),
            ),
            ("throttle_time_ms", types.Int32),
            ("tags", types.TaggedFields),
        )

    class Asked(api.RequestStruct):  # type: ignore[misc]
        API_KEY = 18
        API_VERSION = 3
        FLEXIBLE_VERSION = True
        RESPONSE_TYPE = Answer
        SCHEMA = types.Schema(("name", text), ("version", text), ("tags", types.TaggedFields))

        def parse_response_header(self, read_buffer: Any) -> Any:
            # This one answer has the old header, so that a client can read it before it knows the broker.
            return api.ResponseHeader_v0.decode(read_buffer)

    class ApiVersions(api.Request[Asked]):  # type: ignore[misc]
        API_KEY = 18

        def build(self, request_struct_class: Any) -> Any:
            return request_struct_class("ringback", "1", {})

    return ApiVersions()


def _level(tag: bytes) -> int | None:
    """The feature's highest level in the tagged field of supported features."""
    from aiokafka.protocol import types

    if not tag:
        return None
    features = types.CompactArray(
        ("name", types.CompactString("utf-8")), ("min", types.Int16), ("max", types.Int16), ("tags", types.TaggedFields)
    ).decode(BytesIO(tag))
    return next((highest for name, _, highest, _ in features or () if name == FEATURE), None)
