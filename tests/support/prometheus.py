"""A real Prometheus with the deployed configuration: other targets, shorter intervals, storage of its own."""

from __future__ import annotations

import json
import math
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from streams.local.guarded import GuardedProcess
from tests.support import monitoring
from tests.support.waiting import eventually

INTERVAL = "1s"
LISTENING = re.compile(r'msg="?Listening on"? address=(127\.0\.0\.1:\d+)')
READY = "Server is ready"


class Prometheus:
    """One that runs. Raises RuntimeError, which no waiting swallows, for a question that it refuses."""

    def __init__(self, address: str) -> None:
        self._url = f"http://{address}"
        self._since = time.time()

    def ask(self, path: str, **parameters: object) -> Any:
        """What the API says at `path`."""
        query = urllib.parse.urlencode(parameters)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._url}/api/v1/{path}?{query}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{parameters}: {error.read().decode()}") from error

    def values(self, expression: str) -> list[float]:
        """Every number that an expression has given since the start; what is not a number is nothing to look at."""
        found = self.ask("query_range", query=expression, start=self._since, end=time.time(), step=1)["result"]
        numbers = [float(value) for series in found for _, value in series["values"]]
        return [number for number in numbers if not math.isnan(number)]

    def label_values(self, query: str) -> list[str]:
        """What Grafana finds for a variable: `label_values(SELECTOR, LABEL)`."""
        asked = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
        assert asked, query
        found: list[str] = self.ask(f"label/{asked[2]}/values", **{"match[]": asked[1]})
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every alert as Prometheus sees it."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]


@contextmanager
def running(folder: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `targets` (host:port by job) each second; its files lie in `folder`."""
    program = monitoring.tool("prometheus")
    folder.mkdir()
    configuration = monitoring.read_yaml(monitoring.CONFIGURATION)
    configuration["global"] |= dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), INTERVAL)
    configuration["rule_files"] = [str(monitoring.CONFIGURATION.parent / name) for name in configuration["rule_files"]]
    for scrape in configuration["scrape_configs"]:
        (found,) = scrape["static_configs"]
        found["targets"] = [targets[scrape["job_name"]]]
    text = StringIO()
    YAML(typ="safe").dump(configuration, text)
    path = folder / "prometheus.yml"
    path.write_text(text.getvalue(), encoding="utf-8")
    command = [program, f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"]
    process = GuardedProcess([*command, "--web.listen-address=127.0.0.1:0"], folder / "log")
    try:
        eventually(lambda: READY in process.output(), within=20, what="Prometheus is ready")
        listening = LISTENING.search(process.output())
        assert listening, process.output()
        yield Prometheus(listening[1])
    finally:
        process.kill()
