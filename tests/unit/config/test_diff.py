"""What a new configuration changes, in words."""

from __future__ import annotations

from pathlib import Path

from schemas.config import Configuration
from streams.config.diff import difference
from tests.unit.config.test_load import WHOLE
from tests.unit.config.writing import load


def words(tmp_path: Path, before: str, after: str) -> list[str]:
    return difference(load(tmp_path, before), load(tmp_path, after)).words()


def test_the_same_changes_nothing(tmp_path: Path) -> None:
    assert not difference(load(tmp_path, WHOLE), load(tmp_path, WHOLE + "# a comment\n"))


def test_a_first_configuration_adds_everything(tmp_path: Path) -> None:
    changes = difference(None, load(tmp_path, WHOLE))
    assert len(changes.of("added")) == 6
    assert changes.words()[2] == "+ app com.example.game"


def test_a_change_tells_the_keys_with_old_and_new_values(tmp_path: Path) -> None:
    after = WHOLE.replace("timeout: 250ms", "timeout: 20s").replace("rate_limit: 1000/m", "rate_limit: null")
    assert words(tmp_path, WHOLE, after) == ["~ partner acme_ads: rate_limit 1000/m → (default), timeout 250ms → 20s"]


def test_a_value_that_becomes_its_default_is_told(tmp_path: Path) -> None:
    after = WHOLE.replace("    status: shadow\n", "")
    assert words(tmp_path, WHOLE, after) == ["~ postback acme-install: status shadow → active"]


def test_a_changed_template_changes_the_postbacks_that_take_it(tmp_path: Path) -> None:
    after = WHOLE.replace("/i?click_id={click_id}", "/j?click_id={click_id}")
    partner, postback = words(tmp_path, WHOLE, after)
    assert partner.startswith("~ partner acme_ads: templates ")
    assert postback == "~ postback acme-template: its partner's template"


def test_what_is_gone_is_removed(tmp_path: Path) -> None:
    before = load(tmp_path, WHOLE)
    after = Configuration(
        generation=0, sources=before.sources, apps=before.apps, partners=before.partners, postbacks=()
    )
    changes = difference(before, after)
    assert changes.words() == ["- postback acme-install", "- postback acme-template"]
    assert changes.of("removed") == changes.changes


def test_the_order_of_sources_counts_and_no_other(tmp_path: Path) -> None:
    before = load(tmp_path, WHOLE)
    turned = Configuration(
        generation=9,
        sources=before.sources[::-1],
        apps=before.apps,
        partners=before.partners,
        postbacks=before.postbacks[::-1],
    )
    assert difference(before, turned).words() == ["~ source events: order", "~ source installs: order"]
