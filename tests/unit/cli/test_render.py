"""`ringback render` on files alone, without Kafka."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streams.cli.main import run
from streams.errors import RUNTIME, USAGE

CONFIG = """\
apps:
  - {id: game, project: p, platform: android}
partners:
  - {id: acme, fields: {key: "${env:ACME_KEY}"}, templates: {payment: {url: "https://acme.example/p?c={click_id}"}}}
postbacks:
  - {id: install, app: game, partner: acme, event: install, url: "https://acme.example/i?c={click_id}&k={partner.key}"}
  - {id: paused, app: game, partner: acme, event: install, url: "https://acme.example/", status: paused}
  - {id: shadow, app: game, partner: acme, event: install, url: "https://acme.example/", status: shadow}
  - {id: inherited, app: game, partner: acme, event: payment, match_event: first_payment}
  - {id: moment, app: game, partner: acme, event: install, url: "http://acme.example:81/?n={now}&a={attempt}",
     delivery_delay: 3s, retry_attempts: 2}
  - {id: secret-body, app: game, partner: acme, event: install, url: "https://acme.example/", method: POST,
     body: {k: "{partner.key}", n: é}}
"""
INSTALL = {
    "id": "i",
    "app_id": "game",
    "os_id": "ann",
    "install_timestamp": "2026-01-02T03:04:05Z",
    "publisher_name": "acme",
    "click_id": "c 1",
}
PAYMENT = {
    "id": "e",
    "app_id": "game",
    "os_id": "ann",
    "event_timestamp": "2026-01-03T03:04:05Z",
    "event_name": "payment",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration and records in the working directory, and no broker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACME_KEY", raising=False)
    monkeypatch.setenv("RINGBACK_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "i.json").write_text(json.dumps(INSTALL))
    (tmp_path / "e.jsonl").write_text(json.dumps(PAYMENT))
    return tmp_path


class Rendered:
    """`rendered("install", "i.json")` with the configuration of this folder: its exit status, output and errors."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, postback: str, record: str, *more: str) -> tuple[int, str, str]:
        status = run(["render", postback, "--record", record, "--config", "c.yaml", *more])
        told = self._capsys.readouterr()
        return status, told.out, told.err


@pytest.fixture
def rendered(capsys: pytest.CaptureFixture[str]) -> Rendered:
    return Rendered(capsys)


def test_the_request_is_shown_with_references_in_place_of_secrets(rendered: Rendered) -> None:
    status, out, err = rendered("install", "i.json")
    assert (status, out.splitlines()[0]) == (0, "GET /i?c=c%201&k=${env:ACME_KEY} HTTP/1.1")
    assert out.endswith("\r\n\r\n")
    assert "\r\nHost: acme.example\r\nUser-Agent: Ringback\r\n" in out
    assert "without the secrets of ${env:ACME_KEY}; --reveal puts them in" in err
    assert "install, attempt 1 of 4, to https://acme.example\n" in err
    assert "install goes by attribution 1, acme\n" in err


def test_a_signature_is_shown_as_the_reference_of_its_secret(
    rendered: Rendered, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "c.yaml").write_text(
        CONFIG.replace("{id: acme, fields", "{id: acme, signing_secrets: ['${env:H}'], fields")
    )
    at = "2026-01-02T03:04:05Z"
    status, out, err = rendered("shadow", "i.json", "--now", at)
    assert status == 0
    assert "\r\nwebhook-timestamp: 1767323045\r\nwebhook-signature: v1,{hmac_sha256:${env:H}}\r\n" in out
    assert "without the secrets of ${env:H};" in err
    monkeypatch.setenv("H", "hunter2")
    status, out, err = rendered("shadow", "i.json", "--now", at, "--reveal")
    assert status == 0
    assert re.search(r"\r\nwebhook-signature: v1,[A-Za-z0-9+/]{43}=\r\n", out)
    assert "hunter2" not in out + err
    monkeypatch.setenv("H", "whsec_%")
    status, out, err = rendered("shadow", "i.json", "--reveal")
    assert "there is no value for env:H that can be used" in err


def test_secrets_are_put_in_when_that_is_asked_for(rendered: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "hunter2&")
    status, out, err = rendered("install", "i.json", "--reveal")
    assert (status, out.splitlines()[0]) == (0, "GET /i?c=c%201&k=hunter2%26 HTTP/1.1")
    assert "hunter2" not in rendered("install", "i.json")[1]
    assert "secrets" not in err


def test_a_secret_without_a_value_is_named(rendered: Rendered) -> None:
    status, out, err = rendered("install", "i.json", "--reveal")
    assert (status, out) == (RUNTIME, "")
    assert "there is no value for env:ACME_KEY" in err


def test_a_length_that_only_the_secret_could_tell_is_not_made_up(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert '\r\nContent-Length: ?\r\n\r\n{"k":"${env:ACME_KEY}","n":"é"}' in rendered("secret-body", "i.json")[1]
    monkeypatch.setenv("ACME_KEY", "abc")
    assert '\r\nContent-Length: 20\r\n\r\n{"k":"abc","n":"é"}' in rendered("secret-body", "i.json", "--reveal")[1]


def test_the_attempt_and_the_moment_may_be_chosen(rendered: Rendered) -> None:
    _, out, err = rendered("moment", "i.json", "--attempt", "2", "--now", "2026-01-05T00:00:00Z")
    assert out.startswith("GET /?n=2026-01-05T00%3A00%3A00Z&a=2 HTTP/1.1\r\nHost: acme.example:81\r\n")
    assert "attempt 2 of 3" in err
    assert "it is sent 3s after it is decided" in err


def test_a_postback_without_a_url_takes_its_partners_template_for_its_event(rendered: Rendered) -> None:
    status, out, _ = rendered("inherited", "e.jsonl", "--install", "i.json")
    assert (status, out.splitlines()[0]) == (0, "GET /p?c=c%201 HTTP/1.1")


def test_records_before_the_last_are_its_history(rendered: Rendered, folder: Path) -> None:
    (folder / "all.json").write_text(json.dumps([INSTALL, PAYMENT, PAYMENT | {"id": "f"}]))
    status, out, err = rendered("inherited", "all.json")
    assert (status, out) == (RUNTIME, "")
    assert "no job for inherited: the device (or user) has had its first before (not_first)" in err


def test_a_no_is_told_in_words(rendered: Rendered, folder: Path) -> None:
    assert "no job for paused: the postback is paused (paused)" in rendered("paused", "i.json")[2]
    (folder / "bad.json").write_text('{"app_id": "game"}')
    status, _, err = rendered("install", "bad.json")
    assert status == RUNTIME
    assert "none of the identifiers of the app's device_key order is present (no_identifier)" in err


def test_shadow_is_told(rendered: Rendered) -> None:
    status, out, err = rendered("shadow", "i.json")
    assert (status, out[:3]) == (0, "GET")
    assert "in shadow: it is decided and reported, and never sent" in err


def test_json_has_the_request_in_its_parts(rendered: Rendered) -> None:
    status, out, err = rendered("secret-body", "i.json", "--json")
    answer: dict[str, Any] = json.loads(out)
    assert (status, err) == (0, "")
    assert (answer["method"], answer["url"], answer["attempt"]) == ("POST", "https://acme.example/", 1)
    assert answer["body"] == '{"k":"${env:ACME_KEY}","n":"é"}'
    assert answer["request"].startswith("POST / HTTP/1.1\r\n")
    assert answer["hidden"] == ["${env:ACME_KEY}"]
    assert dict(answer["headers"])["Idempotency-Key"] == answer["job_id"]
    assert answer["goes_by"] == "install goes by attribution 1, acme"
    assert (answer["event"], answer["record_id"], answer["shadow"]) == ("install", "i", False)


def test_a_no_in_json_has_its_reason(rendered: Rendered) -> None:
    status, out, _ = rendered("paused", "i.json", "--json")
    assert status == RUNTIME
    assert json.loads(out) == {
        "postback_id": "paused",
        "reason": "paused",
        "meaning": "the postback is paused",
        "detail": "install goes by attribution 1, acme",
    }


def test_what_a_jobs_id_is_made_of_is_told_when_the_record_lacks_it(rendered: Rendered, folder: Path) -> None:
    (folder / "no-id.json").write_text(json.dumps(INSTALL | {"id": None}))
    assert "the record has no id" in rendered("install", "no-id.json")[2]
    (folder / "no-time.json").write_text(json.dumps(INSTALL | {"install_timestamp": None}))
    assert "the record has no time of its own" in rendered("install", "no-time.json")[2]


def test_the_record_may_come_from_standard_input(folder: Path) -> None:
    code = "from streams.cli.entry import main; main()"
    command = [sys.executable, "-c", code, "render", "shadow", "-r", "-", "--config", "c.yaml"]
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        command, input=json.dumps(INSTALL).encode(), capture_output=True, check=False, cwd=folder,
        env={"PYTHONPATH": root, "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"GET / HTTP/1.1\r\nHost: acme.example\r\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["instal", "-r", "i.json", "--config", "c.yaml"], "did you mean install?"),
        (["install", "-r", "absent.json", "--config", "c.yaml"], "absent.json cannot be read"),
        (["install", "-r", "empty.json", "--config", "c.yaml"], "empty.json holds no record"),
        (["install", "-r", "i.json", "--config", "absent"], "absent"),
        (["install", "-r", "i.json", "--config", "c.yaml", "--now", "soon"], "--now soon: is not a time"),
        (
            ["install", "-r", "i.json", "--install", "bad.json", "--config", "c.yaml"],
            "bad.json: record 1 cannot be used",
        ),
        (["install"], "record"),
        (["moment", "-r", "i.json", "--config", "c.yaml", "--attempt", "4"], "--attempt 4: moment has only 3"),
    ],
)
def test_what_cannot_be_understood_is_2(
    arguments: list[str], told: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty.json").write_text("\n")
    (folder / "bad.json").write_text("nonsense")
    assert run(["render", *arguments]) == USAGE
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err


def test_without_files_the_live_configuration_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render", "install", "-r", "i.json", "--timeout", "0.2"]) == RUNTIME
    assert "cannot be reached" in capsys.readouterr().err


def test_on_a_terminal_nothing_moves_the_cursor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    (folder / "c.yaml").write_text(
        CONFIG.replace('body: {k: "{partner.key}", n: é}', 'body: "{click_id}", headers: {Content-Type: text/x}')
    )
    (folder / "i.json").write_text(json.dumps(INSTALL | {"click_id": "a\x1b[2Jb\nc"}))
    shown = Terminal()
    monkeypatch.setattr("sys.stdout", shown)
    assert run(["render", "secret-body", "--record", "i.json", "--config", "c.yaml"]) == 0
    assert shown.getvalue().endswith("a\N{REPLACEMENT CHARACTER}[2Jb\nc\n")
    assert "\r" not in shown.getvalue()
