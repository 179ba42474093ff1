"""Settings: the environment wins over the file, the file over the default; every mistake is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import USAGE
from streams.settings import PREFIX, Settings, SettingsError, environment, load, parse_size, shown, size_text


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load()
    assert caught.value.exit_code == USAGE
    return caught.value.problems


def test_without_anything_there_are_defaults() -> None:
    settings = load()
    assert settings.bootstrap_servers == "127.0.0.1:9092"
    assert settings.commit_interval == 50
    assert settings.grace == 30_000


def test_every_setting_has_a_default_and_a_description() -> None:
    assert [name for name, field in Settings.model_fields.items() if field.is_required() or not field.description] == []


def test_the_file_is_read_and_the_environment_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ringback.yaml").write_text("topic_prefix: file.\npartitions: 3\ngrace: 5m\n")
    monkeypatch.setenv("RINGBACK_PARTITIONS", "5")
    settings = load()
    assert (settings.topic_prefix, settings.partitions, settings.grace) == ("file.", 5, 300_000)


def test_a_value_that_the_environment_overrides_is_not_even_looked_at(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "ringback.yaml").write_text("partitions: many\n")
    monkeypatch.setenv("RINGBACK_PARTITIONS", "5")
    assert load().partitions == 5


def test_overrides_of_the_command_line_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_PARTITIONS", "5")
    assert load(partitions=7).partitions == 7


def test_another_file_can_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "other.yaml").write_text("worker_id: other\n")
    monkeypatch.setenv("RINGBACK_CONFIG_FILE", "other.yaml")
    assert load().worker_id == "other"


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_CONFIG_FILE", "absent.yaml")
    assert problems() == ["absent.yaml: cannot be read: No such file or directory"]
    with pytest.raises(SettingsError) as caught:
        load()
    assert caught.value.remedy == "correct or unset RINGBACK_CONFIG_FILE"


def test_a_file_that_is_no_yaml_is_told_with_its_place(folder: Path) -> None:
    (folder / "ringback.yaml").write_text("a: [1\nb: 2\n")
    assert problems()[0].startswith("ringback.yaml:2:")


@pytest.mark.parametrize("text", ["- a\n", "just text\n"])
def test_a_file_must_be_a_mapping(folder: Path, text: str) -> None:
    (folder / "ringback.yaml").write_text(text)
    assert problems() == ["ringback.yaml: expected a mapping of settings"]


def test_an_empty_file_says_nothing(folder: Path) -> None:
    (folder / "ringback.yaml").write_text("# nothing\n")
    assert load() == Settings()


def test_every_mistake_is_told_at_once_with_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ringback.yaml").write_text("topic_prefx: x\npartitions: 0\ngrace: 30\n")
    monkeypatch.setenv("RINGBACK_METRICS_PRT", "1")
    monkeypatch.setenv("RINGBACK_API_PORT", "http")
    monkeypatch.setenv("RINGBACK_EGRESS_ALLOW", "127.0.0.0/8,10.1.2.3/8")
    found = problems()
    assert "ringback.yaml: no such setting `topic_prefx`; did you mean topic_prefix?" in found
    assert "RINGBACK_METRICS_PRT: no such setting; did you mean RINGBACK_METRICS_PORT?" in found
    assert "ringback.yaml: partitions: input should be greater than or equal to 1 (found '0')" in found
    assert any(line.startswith("ringback.yaml: grace: '30' is not a duration") for line in found)
    assert any(line.startswith("RINGBACK_API_PORT: input should be a valid integer") for line in found)
    assert any(line.startswith("RINGBACK_EGRESS_ALLOW: 10.1.2.3/8 has host bits set") for line in found)
    assert len(found) == 6


@pytest.mark.parametrize(
    "variable",
    ["RINGBACK_SENDER_SERVICE_HOST", "RINGBACK_WORKER_PORT_9464_TCP_ADDR", "RINGBACK_PORT", "RINGBACK_TEST_BROKER"],
)
def test_variables_that_others_set_are_left_alone(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "x")
    load()


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [("50ms", 50), ("30s", 30_000), ("1.5s", 1_500), ("5m", 300_000), ("1h", 3_600_000), ("2d", 172_800_000)],
)
def test_durations_have_a_unit(written: str, milliseconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_GRACE", written)
    assert load().grace == milliseconds


@pytest.mark.parametrize("written", ["30", "-1s", "s", "1 week", "1e9s", "½s", "٣s", "9" * 400 + "s"])
def test_what_is_no_duration_is_refused(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_GRACE", written)
    assert "such as 50ms" in problems()[0]


def test_lists_and_mappings_can_be_written_in_the_file_as_such(folder: Path) -> None:
    (folder / "ringback.yaml").write_text(
        "egress_allow: [127.0.0.0/8, '::1/128']\nkafka_options: {socket.keepalive.enable: true, retry.backoff.ms: 50}\n"
    )
    settings = load()
    assert settings.egress_allow == ("127.0.0.0/8", "::1/128")
    assert settings.kafka_options == {"socket.keepalive.enable": "true", "retry.backoff.ms": "50"}


@pytest.mark.parametrize("written", ['{"group.id": "x"}', "[1]", "nonsense", "3"])
def test_kafka_options_that_cannot_be_are_refused(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_KAFKA_OPTIONS", written)
    assert problems()[0].startswith("RINGBACK_KAFKA_OPTIONS: ")


def test_secrets_are_not_shown_nor_told_in_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    options = '{"sasl.password": "hunter2", "ssl.key.password": "hunter2", "sasl.username": "me"}'
    monkeypatch.setenv("RINGBACK_KAFKA_OPTIONS", options)
    assert "hunter2" not in shown(load(), "kafka_options")
    assert "me" in shown(load(), "kafka_options")
    monkeypatch.setenv("RINGBACK_KAFKA_OPTIONS", options.replace("sasl.username", "group.id"))
    assert not any("hunter2" in problem for problem in problems())


def test_a_child_gets_the_same_settings_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        grace=5_000,
        commit_interval=0 + 20,
        egress_allow=("127.0.0.0/8",),
        kafka_options={"sasl.password": "p"},
        state_dir=Path("here"),
        decisions_level="all",
    )
    for name, value in environment(settings).items():
        assert name.startswith(PREFIX)
        monkeypatch.setenv(name, value)
    assert load() == settings


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().partitions = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("written", "size"),
    [("64KiB", 65_536), ("128MiB", 134_217_728), ("1.5 GiB", 1_610_612_736), ("9000000B", 9_000_000)],
)
def test_sizes_have_a_unit(written: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_size(written) == size
    assert parse_size(size_text(size)) == size
    monkeypatch.setenv(f"{PREFIX}FETCH_BUFFERS", "64MiB")
    assert shown(load(), "fetch_buffers") == "64MiB"
    assert environment(load())[f"{PREFIX}FETCH_BUFFERS"] == "64MiB"


@pytest.mark.parametrize("written", ["128", "128MB", "-1MiB", "", "MiB"])
def test_what_is_no_size_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(written)
