"""`ringback render` prints what a partner's socket gets, byte for byte, from a worker and a sender that run."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.engine_bench import wait_ready
from tests.support.processes import Start
from tests.support.waiting import eventually

__all__ = ["ringback"]

SECRET = "s3cr&t/é"
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n")
KEY = re.compile(rb"\r\nIdempotency-Key: (\w+)\r\n")

INSTALL = {
    "id": "i-1",
    "app_id": "game",
    "os_id": "ann",
    "user_id": "anna",
    "install_timestamp": "2026-01-02T03:04:05Z",
    "publisher_name": "acme",
    "click_id": 'clk é/&"1',
    "campaign_name": "Frühling",
}
PAYMENT = {
    "id": "e-1",
    "app_id": "game",
    "os_id": "ann",
    "user_id": "anna",
    "event_timestamp": "2026-01-03T10:15:30Z",
    "event_name": "payment",
    "revenue": 9.9,
    "level": {"n": 3},
}
CONFIG = """\
sources:
  - {{topic: {prefix}installs, record: install}}
  - {{topic: {prefix}events, record: event}}
apps: [{{id: game, project: p, platform: android}}]
partners:
  - id: acme
    fields: {{key: "${{env:ACME_KEY}}"}}
    templates: {{first_payment: {{url: "{base}/template?c={{click_id}}"}}}}
postbacks:
  - {{id: get, app: game, partner: acme, event: install,
     url: "{base}/get/{{click_id}}?c={{campaign_name}}&t={{event_timestamp}}&n={{attempt}}",
     parameters: [{{name: ä b, value: "x {{os_id|sha256}}"}}, {{name: gone, value: "{{s_ad}}", when_missing: drop}}]}}
  - {{id: secret, app: game, partner: acme, event: install,
     url: "{base}/secret?k={{partner.key}}&s={{click_id|hmac_sha256:${{env:ACME_KEY}}}}",
     headers: {{Authorization: "Bearer {{partner.key|base64url}}", X-Name: "{{campaign_name}}", User-Agent: mine/1}}}}
  - {{id: json, app: game, partner: acme, event: payment, method: POST, url: "{base}/json",
     body: {{c: "{{click_id}}", paid: "{{revenue|fixed:2}}", at: "{{event_timestamp|unix}}", p: "{{params}}",
             no: "{{s_site}}", k: "x {{partner.key}}", organic: "{{is_organic}}", list: [1, true, "{{attempt}}"]}}}}
  - {{id: form, app: game, partner: acme, event: payment, method: PUT, url: "{base}/form",
     headers: {{Content-Type: application/x-www-form-urlencoded}},
     body: {{c: "{{click_id}}", paid: "{{revenue}}", k: "{{partner.key}}"}}}}
  - {{id: text, app: game, partner: acme, event: payment, method: POST, url: "{base}/text", body: "é {{click_id}}"}}
  - {{id: empty, app: game, partner: acme, event: payment, method: POST, url: "{base}"}}
  - {{id: head, app: game, partner: acme, event: payment, method: HEAD, url: "{base}/head?"}}
  - {{id: inherited, app: game, partner: acme, event: first_payment}}
  - {{id: user, app: game, partner: acme, event: new_user, url: "{base}/user?u={{user_id}}&d={{device_id}}"}}
"""
OF_INSTALL = ("get", "secret", "user")
OF_PAYMENT = ("json", "form", "text", "empty", "head", "inherited")


class Socket:
    """A partner that knows no HTTP: it keeps the bytes of each request by the job's id, and says yes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: dict[str, bytes] = {}

    def take(self, raw: bytes) -> bytes | None:
        """Keep the request at the beginning of what came in. Returns what is behind it, None when it is not whole."""
        head, end, rest = raw.partition(b"\r\n\r\n")
        declared = LENGTH.search(head + b"\r\n")
        length = int(declared[1]) if declared else 0
        if not end or len(rest) < length:
            return None
        named = KEY.search(head + b"\r\n")
        self.requests[named[1].decode() if named else ""] = head + end + rest[:length]
        return rest[length:]


@contextmanager
def listening() -> Iterator[Socket]:
    """The partner, for as long as the test asks for it."""

    class Talk(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            raw = b""
            while more := self.request.recv(65_536):
                raw += more
                while (left := kept.take(raw)) is not None:
                    raw = left
                    self.request.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Talk) as server:
        kept = Socket(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def partner() -> Iterator[Socket]:
    with listening() as running:
        yield running


def test_what_is_rendered_is_what_the_partners_socket_gets(
    ringback: Run, settings: Settings, start: Start, partner: Socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", SECRET)
    monkeypatch.chdir(tmp_path)
    base = f"http://127.0.0.1:{partner.port}"
    Path("c.yaml").write_text(CONFIG.format(prefix=settings.topic_prefix, base=base), encoding="utf-8")
    Path("i.json").write_bytes(msgspec.json.encode(INSTALL))
    Path("e.json").write_bytes(msgspec.json.encode(PAYMENT))
    assert ringback("apply", "c.yaml")[0] == 0
    assert ringback("topics", "create")[0] == 0
    worker, sender = start("worker"), start("sender")
    for name, topic in (("i.json", "installs"), ("e.json", "events")):
        status, _, err = ringback("feed", name, "--source", settings.topic_prefix + topic)
        assert status == 0, err

    rendered: dict[str, bytes] = {}
    history = ("--install", "i.json")
    for postback in (*OF_INSTALL, *OF_PAYMENT):
        files = ("-r", "i.json") if postback in OF_INSTALL else ("-r", "e.json", *history)
        status, out, err = ringback("render", postback, *files, "--reveal")
        assert status == 0, err
        raw = out.encode()
        found = KEY.search(raw)
        assert found is not None
        rendered[found[1].decode()] = raw
        masked = ringback("render", postback, *files, "--config", "c.yaml")
        assert SECRET not in masked[1] + masked[2]
    assert len(rendered) == len(OF_INSTALL) + len(OF_PAYMENT)

    for process in (worker, sender):
        wait_ready(process)
    eventually(lambda: len(partner.requests) >= len(rendered), within=60)
    assert partner.requests == rendered
