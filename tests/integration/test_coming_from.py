"""Every configuration of the pages for those who come from another system is put in force as it stands."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec

from schemas.config import Configuration
from streams.config.apply import apply
from streams.config.follow import ConfigurationFollower
from streams.settings import Settings
from tests.examples import pages
from tests.support.waiting import eventually


def test_every_configuration_of_the_pages_is_put_in_force(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "configuration"
    folder.mkdir()
    in_force: list[Configuration] = []
    follower: ConfigurationFollower | None = None
    try:
        for generation, page in enumerate(pages.pages(), start=1):
            (folder / "all.yaml").write_text(page.blocks("yaml")[0])
            applied = apply(settings, folder, prune=True)
            assert (applied.generation, applied.written) == (generation, True), page.name
            if follower is None:
                follower = ConfigurationFollower(settings, in_force.append, lambda refused: None)
                follower.start()
            eventually(partial(_is_in_force, in_force, generation))
            assert _by_id(in_force[-1]) == _by_id(page.configuration()), page.name
    finally:
        if follower is not None:
            follower.stop()


def _is_in_force(in_force: list[Configuration], generation: int) -> bool:
    return bool(in_force) and in_force[-1].generation == generation


def _by_id(configuration: Configuration) -> object:
    """What a configuration says, whatever the order of its items and its number."""
    said = msgspec.to_builtins(configuration)
    return {
        section: sorted(said[section], key=lambda item: item.get("id") or item["topic"])
        for section in ("sources", "apps", "partners", "postbacks")
    }
