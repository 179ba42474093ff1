"""The reference of the configuration is in step with the tables."""

from __future__ import annotations

from pathlib import Path

from streams.attribution import events
from streams.config import reference
from streams.config.models import SECTIONS

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_in_step_with_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.markdown(), (
        "make it again: python -m streams.config.reference > docs/configuration.md"
    )


def test_every_key_and_event_is_on_the_page() -> None:
    page = reference.markdown()
    for section in SECTIONS.values():
        for key, field in section.model_fields.items():
            assert f"| `{key}` | " in page
            assert field.description, key
    assert all(f"`{row.name}`" in page for row in events.TABLE)
