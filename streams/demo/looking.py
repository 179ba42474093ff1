"""What to look at while a demo is kept running: addresses, and commands to be pasted into another terminal."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

from schemas.config import Configuration
from streams import kafka
from streams.demo.stage import Stage
from streams.settings import PREFIX

#: An install that nobody has simulated: the sender's log and the partner's show it a moment after it was fed.
BY_HAND = {"event_name": "install", "click_id": "by-hand", "campaign_name": "by hand"}
IDENTIFIERS = {"android": "google_aid", "ios": "ios_ifv"}
DEVICE = "0b70a2c4-5a0e-4c4e-9b7e-000000000001"
INDENT = "  "


def around(stage: Stage, configuration: Configuration) -> str:
    """The whole text. Writes the file that it names."""
    settings, prefix = stage.settings, stage.settings.topic_prefix
    file, topic = _by_hand(stage, configuration)
    addresses = {
        "Kafka": settings.bootstrap_servers,
        "worker": f"{stage.address('worker')}/metrics",
        "sender": f"{stage.address('sender')}/metrics",
        "partner": stage.address("partner"),
        "configuration": str(stage.configuration),
        "logs": str(stage.logs),
    }
    ringback, python = _commands()
    receipts = kafka.Topics(prefix).receipts
    commands = (
        f"export {PREFIX}CONFIG_FILE={_quoted(stage.settings_file)}",
        f"export {PREFIX}BOOTSTRAP_SERVERS={settings.bootstrap_servers}",
        f"{ringback} topics list",
        f"{ringback} plan {_quoted(stage.configuration)}",
        f"{python} -m streams.local.read {receipts} kind postback_id attempt outcome status | tail",
        f"{ringback} feed {_quoted(file)} --source {topic}",
        f"sleep 1; tail -n 3 {_quoted(stage.received)}",
    )
    width = max(map(len, addresses))
    lines = [
        "",
        "Everything is left running. Ctrl-C here ends and removes it.",
        "",
        *(f"{INDENT}{name.ljust(width)}  {address}" for name, address in addresses.items()),
        "",
        "To look around, paste this into another terminal: it shows the topics, that the configuration is in force, "
        "and the newest receipts; then it feeds an install by hand, and shows what the partner received.",
        "",
        *(INDENT + command for command in commands),
    ]
    return "\n".join(lines)


def _by_hand(stage: Stage, configuration: Configuration) -> tuple[Path, str]:
    """A file with an install that leads to a postback, and the topic that it is for."""
    postback = next(one for one in configuration.postbacks if one.event == "install")
    app = next(one for one in configuration.apps if one.id == postback.app)
    record = {**BY_HAND, "app_id": app.id, "publisher_name": postback.partner, IDENTIFIERS[app.platform]: DEVICE}
    file = stage.folder / "by-hand.jsonl"
    file.write_text(json.dumps(record) + "\n")
    return file, next(source.topic for source in configuration.sources if source.record == "install")


def _commands() -> tuple[str, str]:
    """How to call `ringback`, and Python, from another terminal, whose PATH and environment are other ones."""
    python = f"{_quoted(Path(sys.executable))} -P"
    beside = Path(sys.executable).with_name("ringback")
    found = shutil.which("ringback")
    if found and Path(found) == beside:
        return "ringback", python
    return _quoted(beside) if beside.exists() else f"{python} -m streams.cli.main", python


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
