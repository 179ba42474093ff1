"""Reaching Kafka: wait until it answers, and say in one line why it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from streams import kafka
from streams.errors import Stop
from streams.settings import Settings

#: One try's length in seconds: short, so that a broker which comes up is noticed at once.
TRY_SECONDS = 2.0


def reach(settings: Settings, timeout: float, waiting: Callable[[str], None] = lambda reason: None) -> AdminClient:
    """An admin client whose broker has answered. Blocks up to `timeout` seconds, calls `waiting` once when it has to
    wait.

    Raises `Stop` when time is up, or at once for what waiting does not mend (a refused login).
    """
    errors: list[KafkaError] = []
    admin = AdminClient(kafka.admin_settings(settings, error_cb=errors.append))
    deadline = time.monotonic() + timeout
    told = False
    while True:
        left = deadline - time.monotonic()
        try:
            admin.list_topics(timeout=max(0.1, min(TRY_SECONDS, left)))
            return admin
        except KafkaException as error:
            admin.poll(0)
            reason = why([*errors, error.args[0]])
        if any(error.code() in FATAL for error in errors):
            raise Stop(f"Kafka at {settings.bootstrap_servers} refuses us: {reason}", REMEDY)
        if left <= 0:
            raise Stop(f"Kafka at {settings.bootstrap_servers} cannot be reached: {reason}", REMEDY)
        if not told:
            waiting(f"waiting for Kafka at {settings.bootstrap_servers}: {reason}")
            told = True
        time.sleep(0.1)


REMEDY = "look at RINGBACK_BOOTSTRAP_SERVERS (and RINGBACK_KAFKA_OPTIONS for its security), and whether the broker runs"
FATAL = frozenset(
    {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED}
)
#: These say only that something did not work; the transport's own error before them says what.
VAGUE = frozenset({KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._TIMED_OUT})


def why(errors: list[Any]) -> str:
    """The error among `errors` that tells most, in librdkafka's words without its internals."""
    telling = [error for error in errors if error.code() not in VAGUE] or [e for e in errors if ": " in e.str()]
    text: str = (telling or errors)[0].str()
    return text.split(": ", 1)[-1].split(" (after ")[0] if "/bootstrap" in text else text.split(" (after ")[0]
