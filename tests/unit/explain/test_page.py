"""`docs/explain.md` shows what the commands say."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.explain.example import blocks

PAGE = Path(__file__).parents[3] / "docs" / "explain.md"


def sized(text: str) -> str:
    """The text without the size of a state, which is no affair of the page."""
    return re.sub(r"[\d,]+ bytes of state", "… bytes of state", text)


def test_the_page_shows_what_the_commands_say() -> None:
    """Anew: `python -m tests.unit.explain.example`."""
    found = re.findall(r"^```sh\n(.+?)\n```\n(?:.*?)^```text\n(.+?)\n```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert [(command, sized(text)) for command, text in found] == [
        (command, sized(text)) for command, text in blocks().items()
    ]
