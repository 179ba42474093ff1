"""The compose file and the image are what their comments say, as far as it can be seen without Docker."""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from streams.config.load import load_directory
from streams.local import jars
from streams.settings import PREFIX, Settings
from tests.support import compose, dockerfile

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
COMPOSE = compose.load()
SERVICES: dict[str, compose.Service] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("ringback:"))
RUNNING = sorted(name for name, service in SERVICES.items() if service.get("restart") != "no")
CONDITIONS = {"service_healthy": "healthcheck", "service_completed_successfully": "command"}

of_each_service = pytest.mark.parametrize("name", sorted(SERVICES))


def test_every_service_of_the_stack_is_there() -> None:
    ours = ["apply", "image", "partner", "ringback", "sender", "topics", "worker"]
    assert ours == OURS
    assert sorted(SERVICES) == sorted([*ours, "kafka", "prometheus", "grafana"])
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{jars.KAFKA_VERSION}"


def test_compose_itself_finds_nothing_wrong() -> None:
    """Only where there is one; it needs no engine for this."""
    found = shutil.which("docker-compose") or shutil.which("docker")
    plugin = ["compose"] if found and not found.endswith("-compose") else []
    if not found or subprocess.run([found, *plugin, "version"], capture_output=True).returncode:
        pytest.skip("no Docker Compose here")
    command = [found, *plugin, "-f", str(compose.FILE), "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    theirs = json.loads(done.stdout)["services"]
    assert {name: each.get("environment") for name, each in theirs.items()} == {
        name: service.get("environment") for name, service in SERVICES.items()
    }


def test_a_variable_without_a_default_is_found() -> None:
    assert compose.interpolated("a ${B:-c} $$d") == "a c $d"
    for text in ("${B}", "$B", "${B:?}"):
        with pytest.raises(ValueError, match="without a default"):
            compose.interpolated(text)


@of_each_service
def test_images_are_pinned_and_ports_are_only_this_machines(name: str) -> None:
    service = SERVICES[name]
    _, _, tag = service["image"].partition(":")
    assert re.match(r"v?\d+\.\d+\.\d+$", tag)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@of_each_service
def test_containers_have_no_rights_and_a_read_only_root(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "cap_add", "user", "network_mode", "pid"}


@of_each_service
def test_what_is_mounted_exists_and_is_not_written_to(name: str) -> None:
    for source, target, mode in compose.mounts(SERVICES[name]):
        assert target.startswith("/")
        if source.startswith("."):
            assert mode == "ro"
            assert (ROOT / source).is_dir(), source
        else:
            assert source in COMPOSE["volumes"]


@of_each_service
def test_what_a_service_waits_for_can_come(name: str) -> None:
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        assert CONDITIONS[wanted["condition"]] in SERVICES[other]
        assert (SERVICES[other].get("restart") == "no") == (wanted["condition"] == "service_completed_successfully")
        # A profile that is off would take its services with it.
        assert set(SERVICES[other].get("profiles", [])) <= set(SERVICES[name].get("profiles", []))
    for network in SERVICES[name].get("networks", []):
        assert network == "default" or network in COMPOSE["networks"]


def test_what_is_named_is_used() -> None:
    volumes = {source for service in SERVICES.values() for source, _, _ in compose.mounts(service)}
    assert set(COMPOSE["volumes"]) <= volumes


@pytest.mark.parametrize("name", RUNNING)
def test_what_keeps_running_is_watched(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert compose.health_command(SERVICES[name])


def test_worker_and_sender_have_time_to_finish() -> None:
    for name in ("worker", "sender"):
        service = SERVICES[name]
        assert compose.seconds(service["stop_grace_period"]) > compose.seconds(service["environment"]["RINGBACK_GRACE"])


def test_one_service_builds_the_image_that_the_others_take() -> None:
    assert [name for name in OURS if "build" in SERVICES[name]] == ["image"]
    assert {SERVICES[name]["image"] for name in OURS} == {f"ringback:{PROJECT['version']}"}
    build = SERVICES["image"]["build"]
    assert (ROOT / build["context"] / build["dockerfile"]) == dockerfile.FILE
    # So that the image is there whichever of them is asked for first.
    waits = {name: _waits_for(name) for name in OURS}
    assert all("image" in waits[name] for name in OURS if name != "image")


def test_the_topics_are_those_of_the_configuration_that_was_just_applied() -> None:
    """`topics create` asks the live configuration for its sources, and a worker stops where one's topic is missing."""
    assert "topics" not in _waits_for("apply")
    assert all(name in _waits_for("topics") for name in ("apply", "kafka"))
    assert all("topics" in _waits_for(name) for name in ("worker", "sender"))
    # What the header says to do after a change of the folder must do both.
    header = compose.FILE.read_text()
    assert re.findall(r"^# After a change in the folder.* up --detach (\w+)$", header, re.MULTILINE) == ["topics"]


def test_a_command_does_not_apply_the_folder_that_it_may_only_be_asked_to_plan() -> None:
    assert _waits_for("ringback") == {"image", "kafka"}


def _waits_for(name: str) -> set[str]:
    direct = set(SERVICES[name].get("depends_on", {}))
    return direct.union(*(_waits_for(each) for each in direct))


@pytest.mark.parametrize("name", OURS)
def test_every_setting_exists(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = SERVICES[name].get("environment", {})
    assert {variable.removeprefix(PREFIX).lower() for variable in given} <= set(Settings.model_fields)
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    assert Settings(**{}).grace == 30_000


def test_the_sender_may_reach_the_partner_and_no_other_container() -> None:
    (ours,) = COMPOSE["networks"]["partners"]["ipam"]["config"]
    assert SERVICES["sender"]["environment"]["RINGBACK_EGRESS_ALLOW"] == ours["subnet"]
    assert ipaddress.ip_network(ours["subnet"]).is_private
    inside = {name for name, service in SERVICES.items() if "partners" in service.get("networks", [])}
    assert inside == {"sender", "partner"}


def test_the_configuration_that_is_applied_calls_the_partner() -> None:
    configuration = load_directory(DOCKER / "config")
    port = SERVICES["partner"]["command"][SERVICES["partner"]["command"].index("--port") + 1]
    texts = re.findall(r"https?://[^/\s]+", (DOCKER / "config" / "game.yaml").read_text())
    assert len(texts) == len(configuration.postbacks)
    assert set(texts) == {f"http://partner:{port}"}


def test_the_broker_may_load_what_it_unpacks() -> None:
    """Without that it cannot read what worker and sender compress with zstd; by default a tmpfs is noexec."""
    options = dict(each.partition(":")[::2] for each in SERVICES["kafka"]["tmpfs"])
    assert "exec" in options["/tmp"].split(",")
    assert all("uid=1000" in options[f"/opt/kafka/{place}"].split(",") for place in ("config", "logs"))
    assert {target for _, target, _ in compose.mounts(SERVICES["kafka"])} == {
        SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"]
    }


def test_prometheus_asks_worker_and_sender_where_they_answer() -> None:
    scraped = YAML(typ="safe").load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    targets = {target for job in scraped for config in job["static_configs"] for target in config["targets"]}
    settings = SERVICES["worker"]["environment"]
    assert targets == {
        f"worker:{settings['RINGBACK_METRICS_PORT']}",
        f"sender:{settings['RINGBACK_SENDER_METRICS_PORT']}",
    }


def test_grafana_finds_the_dashboards_where_they_are_mounted() -> None:
    (provider,) = (ROOT / "deploy" / "grafana" / "provisioning" / "dashboards").glob("*.y*ml")
    (given,) = YAML(typ="safe").load(provider.read_text())["providers"]
    targets = {target: ROOT / source for source, target, _ in compose.mounts(SERVICES["grafana"])}
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert home.parent == Path(given["options"]["path"])
    assert (targets[str(home.parent)] / home.name).is_file()
