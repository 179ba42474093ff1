"""The partner that benchmarks send to: what it answers, and when."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

from tests.benchmarks.wire import target


def test_it_answers_again_and_again_on_one_connection_and_not_before_its_latency() -> None:
    with target(latency=30) as url:
        found = urlsplit(url)
        connection = http.client.HTTPConnection(found.hostname or "", found.port)
        for number, (method, body) in enumerate((("GET", None), ("POST", b"x" * 100_000), ("GET", None))):
            begun = time.monotonic()
            connection.request(method, f"{found.path}/{number}?a=b", body)
            assert connection.getresponse().read() == b'{"ok":true}'
            assert time.monotonic() - begun >= 0.03
        connection.request("GET", "/-/count/0")
        assert connection.getresponse().read() == b"3"
        connection.close()
