"""What both client libraries and every process agree on."""

from __future__ import annotations

import inspect
import ssl
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from confluent_kafka import KafkaException, Producer
from hypothesis import given
from hypothesis import strategies as st

from streams import kafka
from streams.errors import Stop
from streams.settings import Settings


def settings(**options: str) -> Settings:
    named = {name.replace("_", "."): value for name, value in options.items()}
    return Settings(bootstrap_servers="a:1,b:2", kafka_options=named)


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        # The vectors of Kafka's own test of Utils.murmur2.
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_keys_are_hashed_as_kafka_does(key: bytes, signed: int) -> None:
    assert kafka.murmur2(key) == signed % 2**32


@given(st.binary(max_size=200))
def test_keys_are_hashed_as_the_other_client_does(key: bytes) -> None:
    assert kafka.murmur2(key) == aiokafka_murmur2(key)


@given(st.binary(max_size=50), st.integers(1, 500))
def test_a_key_lies_in_one_of_the_partitions(key: bytes, count: int) -> None:
    assert kafka.partition_of(key, count) == (aiokafka_murmur2(key) & 0x7FFFFFFF) % count


def test_tiers_double_from_eight_seconds() -> None:
    assert kafka.TIERS_MS[:3] == (8_000, 16_000, 32_000)
    assert kafka.TIER_NAMES == ("8s", "16s", "32s", "64s", "128s", "256s", "512s", "1024s", "2048s")
    topics = kafka.Topics("p.")
    assert topics.retry(8_000) == topics.retry("8s") == "p.delivery.retry.8s"
    assert len(topics.retries()) == len(kafka.TIERS_MS)


def test_every_topic_of_ours_is_in_the_table_once() -> None:
    topics = kafka.Topics("p.")
    named = {value for name, value in vars(topics).items() if name != "prefix"} | set(topics.retries())
    table = [row.name for row in kafka.topic_table("p.")]
    assert len(table) == len(set(table))
    assert set(table) == named


def test_delay_topics_are_stamped_by_the_broker_and_config_is_compacted() -> None:
    rows = {row.name: row for row in kafka.topic_table("")}
    assert rows["delivery.retry.8s"].config() == {
        "cleanup.policy": "delete",
        "retention.ms": str(7 * 86_400_000),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(kafka.LARGEST_BATCH),
    }
    assert rows["config"].config() == {"cleanup.policy": "compact", "max.message.bytes": str(kafka.LARGEST_BATCH)}


@pytest.mark.parametrize(("inputs", "users"), [(1, 1), (16, 16), (100, 16)])
def test_partitions_follow_the_input(inputs: int, users: int) -> None:
    rows = {row.name: row.partitions(inputs) for row in kafka.topic_table("")}
    assert (rows["users"], rows["delivery"], rows["config"], rows["control"]) == (users, inputs, 1, 1)


def test_both_clients_are_told_the_same() -> None:
    given = settings(
        security_protocol="sasl_plaintext", sasl_mechanism="PLAIN", sasl_username="me", sasl_password="p", client_id="c"
    )
    confluent = kafka.confluent_settings(given)
    assert confluent["bootstrap.servers"] == "a:1,b:2"
    assert confluent["sasl.password"] == "p"
    assert kafka.aiokafka_settings(given) == {
        "bootstrap_servers": "a:1,b:2",
        "client_id": "c",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": "p",
    }


@pytest.mark.parametrize("client", [AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient])
def test_every_argument_is_one_that_every_aiokafka_client_takes(client: type) -> None:
    arguments = {option.aiokafka for option in kafka.OPTIONS if option.aiokafka} | {"ssl_context", "bootstrap_servers"}
    assert arguments - set(inspect.signature(client).parameters) == set()


def test_every_option_is_one_that_librdkafka_knows() -> None:
    for option in kafka.OPTIONS:
        with pytest.raises(KafkaException) as caught:
            Producer({option.confluent: "1", "no.such.option": "1"})
        assert f'No such configuration property: "{option.confluent}"' not in str(caught.value)


def test_numbers_reach_aiokafka_as_numbers() -> None:
    assert kafka.aiokafka_settings(settings(retry_backoff_ms="250"))["retry_backoff_ms"] == 250


def test_tls_verifies_unless_told_otherwise() -> None:
    context: ssl.SSLContext = kafka.aiokafka_settings(settings(security_protocol="ssl"))["ssl_context"]
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    loose = settings(security_protocol="ssl", ssl_endpoint_identification_algorithm="none")
    assert not kafka.aiokafka_settings(loose)["ssl_context"].check_hostname
    assert kafka.aiokafka_settings(loose)["ssl_context"].verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    "options",
    [
        {"sasl_mechanism": "OAUTHBEARER"},
        {"sasl_mechanisms": "OAUTHBEARER"},
        {"ssl_keystore_location": "k.p12"},
        {"retry_backoff_ms": "soon"},
        {"security_protocol": "ssl", "ssl_ca_location": "absent.pem"},
        {"security_protocol": "foo"},
        {"foo_bar": "x"},
    ],
)
def test_what_one_of_the_clients_cannot_do_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(Stop, match="kafka_options"):
        kafka.aiokafka_settings(settings(**options))


def test_more_options_are_written_with_underscores_and_win() -> None:
    def lost(*_: Any) -> None:
        """Nothing is sent here."""

    made = kafka.producer_settings(
        settings(client_id="c"), client_id="mine", linger_ms=5, on_delivery=lost, error_cb=lost
    )
    assert made["client.id"] == "mine"
    assert made["linger.ms"] == 5
    assert made["partitioner"] == "murmur2_random"
    assert made["enable.idempotence"] is True
    assert made["on_delivery"] is made["error_cb"] is lost


def test_consumers_see_committed_records_only_and_commit_nothing_by_themselves() -> None:
    made = kafka.consumer_settings(settings(), group_id="g")
    assert made["isolation.level"] == "read_committed"
    assert made["enable.auto.commit"] is False
    assert made["group.id"] == "g"
