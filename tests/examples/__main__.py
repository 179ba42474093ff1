"""Writes what the docs show: `python -m tests.examples`."""

from __future__ import annotations

from tests.examples import attribution, pages

for page in pages.pages():
    (pages.FOLDER / page.name).write_text(pages.filled(page), encoding="utf-8")

found = attribution.timelines()
attribution.PAGE.write_text(attribution.text(attribution.PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
attribution.PICTURES.mkdir(exist_ok=True)
for name, timeline in found.items():
    (attribution.PICTURES / f"{name}.svg").write_text(attribution.picture(timeline), encoding="utf-8")
