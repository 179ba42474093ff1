"""`ringback send-test` sends one request on a real socket, and shows it and its answer. Files need no Kafka."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streams.cli.main import run
from streams.local.exchange import CLOSE, HANG, Answer, retry_after
from streams.local.partner import Partner, in_thread
from tests.support.commands import Run

SECRET = "s3cr&t/é"
CONFIG = """\
apps: [{{id: game, project: p, platform: android}}]
partners:
  - {{id: acme, timeout: 1s, fields: {{key: "${{env:ACME_KEY}}"}}}}
postbacks:
  - {{id: get, app: game, partner: acme, event: first_payment, status: paused,
     url: "{base}/get/{{click_id}}?k={{partner.key}}&job={{job_id}}&n={{attempt}}&r={{revenue}}"}}
  - {{id: post, app: game, partner: acme, event: install, method: POST, url: "{base}/post",
     headers: {{X-Sign: "{{job_id|hmac_sha256:${{env:ACME_KEY}}}}"}},
     body: {{id: "{{job_id}}", l: "{{params.level}}"}}}}
"""
INSTALL = '{"id": "i", "app_id": "game", "os_id": "ann", "publisher_name": "acme", "params": {"level": 7}}'


@pytest.fixture
def send_test(
    partner: Partner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`send_test("get", …)` with this test's postbacks, at the partner, and no Kafka."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "all.yaml").write_text(CONFIG.format(base=partner.url("")))
    (tmp_path / "install.json").write_text(INSTALL)
    monkeypatch.setenv("RINGBACK_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("RINGBACK_EGRESS_ALLOW", "127.0.0.0/8")
    monkeypatch.setenv("ACME_KEY", SECRET)

    def command(*arguments: str) -> tuple[int, str, str]:
        status = run(("send-test", "-f", str(tmp_path / "config"), *arguments))
        told = capsys.readouterr()
        return status, told.out, told.err

    return command


def test_the_request_goes_out_once_and_is_shown_with_its_answer(send_test: Run, partner: Partner) -> None:
    heard = Answer(
        status=201, headers=(("Content-Type", "text/plain"), ("X-Other", "no")), body=b"got s3cr%26t%2F%C3%A9 \x1b[2J"
    )
    partner.answer("/get", heard)
    status, said, notes = send_test("get")
    assert status == 0
    (request,) = partner.requests
    job_id = request.job_id or ""
    assert job_id.startswith("test-")
    assert request.target == f"/get/test-click?k=s3cr%26t%2F%C3%A9&job={job_id}&n=1&r=9.99"
    lines = said.splitlines()
    assert lines[1] == f"GET /get/test-click?k=${{env:ACME_KEY}}&job={job_id}&n=1&r=9.99 HTTP/1.1"
    assert f"Idempotency-Key: {job_id}" in lines
    assert f"── answer from 127.0.0.1:{partner.port}" in lines
    assert {"status 201", "Content-Type: text/plain", "got ${env:ACME_KEY} \N{REPLACEMENT CHARACTER}[2J"} <= set(lines)
    assert "X-Other" not in said
    assert lines[-1] == "delivered"
    assert any(line.startswith("in all ") and line.endswith(" ms") for line in lines)
    assert SECRET not in said + notes
    assert f"this sends a real request to http://127.0.0.1:{partner.port}: first_payment of acme" in notes
    assert "the postback's status is paused" in notes


def test_two_tests_of_one_record_are_two_jobs(send_test: Run, partner: Partner, tmp_path: Path) -> None:
    for _ in range(2):
        status, said, _ = send_test("post", "--record", str(tmp_path / "install.json"), "--json")
        assert status == 0
    first, second = partner.requests
    assert first.job_id != second.job_id
    report = msgspec.json.decode(said)
    assert msgspec.json.decode(second.body) == {"id": second.job_id, "l": 7}
    assert (report["job_id"], report["status"], report["delivered"]) == (second.job_id, 200, True)
    assert report["phases"]["duration_ms"] > 0
    assert len(second.header("X-Sign") or "") == 64
    assert (second.header("X-Sign") or "") not in said


def test_what_fails_says_what_the_sender_would_do(send_test: Run, partner: Partner) -> None:
    partner.answer(
        "/post", Answer(status=302, headers=(("Location", "/x"),)), Answer(status=410), retry_after("120"), CLOSE, HANG
    )
    wanted = (
        ("failed; it would be sent again in 15s to 30s", "redirects are never followed"),
        ("would be paused until `ringback resume acme`", "gone for good"),
        ("would be held for 2m", "rate_limit"),
        ("failed; it would be sent again", "closed the connection"),
        ("failed; it would be sent again", "`timeout`"),
    )
    for told, remedy in wanted:
        status, said, notes = send_test("post")
        assert status == 1
        assert told in said.splitlines()[-1]
        assert remedy in notes
    assert partner.count == 5


def test_an_answer_that_nobody_can_write_down_is_shown(send_test: Run, partner: Partner) -> None:
    raw = b"HTTP/1.1 200 \xff\r\nServer: \xff\x9b\r\nLocation: s3cr%26t%2F%C3%A9\r\nContent-Length: 2\r\n\r\n\xff\x9b"
    partner.answer("/get", Answer(raw=raw), Answer(raw=raw))
    for form in ((), ("--json",)):
        status, said, _ = send_test("get", *form)
        assert status == 0
        assert "\N{REPLACEMENT CHARACTER}" * 2 in said
        assert "s3cr%26t" not in said


def test_another_url_is_taken_and_one_that_is_not_allowed_is_not_called(
    send_test: Run, partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_thread() as other:
        assert send_test("post", "--url", other.url(""))[0] == 0
        assert [request.target for request in other.requests] == ["/post"]
    monkeypatch.setenv("RINGBACK_EGRESS_ALLOW", "")
    status, said, notes = send_test("post")
    assert (status, partner.count) == (1, 0)
    assert said.splitlines()[-1] == "suppressed (blocked: 127.0.0.1): it would never be sent"
    assert "RINGBACK_EGRESS_ALLOW" in notes


def test_what_cannot_be_sent_is_said(
    send_test: Run, partner: Partner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "did you mean post?" in send_test("pots")[2]
    status, _, notes = send_test("post", "--url", "http://127.0.0.1/{nothing}")
    assert status == 2
    assert "--url http://127.0.0.1/{nothing}: " in notes
    status, _, notes = send_test("get", "--record", str(tmp_path / "install.json"))
    assert status == 1
    assert "no job for get" in notes
    monkeypatch.delenv("ACME_KEY")
    status, _, notes = send_test("post")
    assert status == 1
    assert "there is no value for env:ACME_KEY" in notes
    assert partner.count == 0
