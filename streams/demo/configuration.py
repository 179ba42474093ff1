"""The demo's sample configuration: ordinary YAML files, with the demo's own addresses and topics put in."""

from __future__ import annotations

import tempfile
from pathlib import Path

from schemas.config import Configuration
from streams.config.load import load_directory

FILES = Path(__file__).parent / "config"

#: What stands in the files for the partner's address, and what stands before the name of an input topic.
PARTNER = "https://partner.example"
TOPIC = "{topic: "


def write_configuration(folder: Path, partner_url: str, prefix: str) -> None:
    """Write the files into `folder`, which is made: all partners live at `partner_url`, the input topics are
    `{prefix}installs` and `{prefix}events`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(FILES.glob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        text = text.replace(PARTNER, partner_url.rstrip("/")).replace(TOPIC, TOPIC + prefix)
        (folder / file.name).write_text(text, encoding="utf-8")


def load_configuration(partner_url: str, prefix: str) -> Configuration:
    """The same, as generation 0, without leaving files behind."""
    with tempfile.TemporaryDirectory(prefix="ringback-") as folder:
        write_configuration(Path(folder), partner_url, prefix)
        return load_directory(Path(folder))
