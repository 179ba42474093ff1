"""What a torture run takes away of a cluster that is not its own: its topics and its groups."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

ASK_SECONDS = 30.0
#: Longer than the session (10 s) of a worker that was killed: until it ends, its group has a member.
GROUP_SECONDS = 30.0
LOOK_SECONDS = 0.5
#: What is not there need not be removed.
ABSENT = (KafkaError.GROUP_ID_NOT_FOUND, KafkaError.UNKNOWN_TOPIC_OR_PART)
#: It would be refused again.
REFUSED = (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED)


def remove(admin: AdminClient, name: str, groups: Sequence[str], hurry: Callable[[], bool]) -> list[str]:
    """Delete the topics whose names begin with `name`, and `groups`. What could not be removed, each with the reason.

    Blocks until the groups are empty, half a minute at most; not that long when somebody is in a hurry.
    """
    return _topics(admin, name) + _groups(admin, groups, hurry)


def _topics(admin: AdminClient, name: str) -> list[str]:
    try:
        ours = [one for one in admin.list_topics(timeout=ASK_SECONDS).topics if one.startswith(name)]
        futures = admin.delete_topics(ours, operation_timeout=ASK_SECONDS) if ours else {}
    except KafkaException as error:
        return [f"topics {name}…: {error.args[0].str()}"]
    return [f"topic {one}: {error.str()}" for one, error in failed(futures).items()]


def _groups(admin: AdminClient, groups: Sequence[str], hurry: Callable[[], bool]) -> list[str]:
    deadline = time.monotonic() + GROUP_SECONDS
    refused: dict[str, KafkaError] = {}
    left = list(groups)
    while True:
        try:
            errors = failed(admin.delete_consumer_groups(left))
        except KafkaException as error:
            errors = dict.fromkeys(left, error.args[0])
        refused |= {group: error for group, error in errors.items() if error.code() in REFUSED}
        left = [group for group in errors if group not in refused]
        if not left or hurry() or time.monotonic() > deadline:
            return [f"group {group}: {error.str()}" for group, error in (refused | errors).items()]
        time.sleep(LOOK_SECONDS)


def failed(futures: Mapping[str, Future[None]]) -> dict[str, KafkaError]:
    """What is still there, and why."""
    found = {}
    for name, future in futures.items():
        try:
            future.result(ASK_SECONDS)
        except KafkaException as error:
            if error.args[0].code() not in ABSENT:
                found[name] = error.args[0]
    return found
