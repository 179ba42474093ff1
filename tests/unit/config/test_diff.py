"""What a new configuration changes, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    assert changes.words()[2] == "app com.example.game: added"


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("    status: shadow\n", "", "postback acme-install: shadow → active"),
        ("status: shadow", "status: paused", "postback acme-install: shadow → paused"),
        ("click_lookback: 3d", "click_lookback: 7d", "partner acme_ads: click lookback 3 d → 7 d"),
        ("impression_lookback: 90m", "impression_lookback: 1h", "partner acme_ads: impression lookback 90 min → 1 h"),
        ("rate_limit: 1000/m", "rate_limit: null", "partner acme_ads: rate limit 1000/m → no limit"),
        ("aliases: [acme]", "aliases: [acme, a]", "partner acme_ads: aliases acme → acme, a"),
        ("2xx, 304", "2xx", "partner acme_ads: success statuses 2xx, 304 → 2xx"),
        ("campaign: summer", "campaign: null", "postback acme-install: campaign summer → every one"),
        ("network_data: false", "network_data: true", "postback acme-install: supply network data no → yes"),
        ("method: POST", "method: PUT", "postback acme-install: method POST → PUT"),
        ("fixed:2}", "fixed:4}", "postback acme-install: parameter payout {revenue|fixed:2} → {revenue|fixed:4}"),
        (
            "when_missing: drop",
            "when_missing: empty",
            "postback acme-install: parameter payout when missing drop → empty",
        ),
        ("X-Id:", "X_Id:", "postback acme-install: header X-Id removed, header X_Id added ({job_id})"),
        ("os_id: device.id", "os_id: device", "source events: field os_id device.id → device"),
        (", user_id]", "]", "app com.example.game: device key os_id, user_id → os_id"),
        (
            "tracker-x, key",
            "tracker-y, key",
            "app com.example.game:\n    API key tracker-x removed\n    API key tracker-y added (${env:TRACKER_X_KEY})",
        ),
    ],
)
def test_a_change_is_told_with_both_values(tmp_path: Path, was: str, now: str, told: str) -> None:
    assert was in WHOLE
    (found,) = words(tmp_path, WHOLE, WHOLE.replace(was, now))
    assert found.startswith(told)


def test_long_values_stand_below(tmp_path: Path) -> None:
    after = WHOLE.replace("?click_id={os_id}&aid={google_aid|lower|sha256}", "?id={os_id}")
    assert words(tmp_path, WHOLE, after) == [
        "postback acme-install: url changed\n"
        "    was https://postback.acme.example/i?click_id={os_id}&aid={google_aid|lower|sha256}\n"
        "    now https://postback.acme.example/i?id={os_id}"
    ]


def test_many_changes_of_one_thing_have_a_line_each(tmp_path: Path) -> None:
    after = WHOLE.replace("timeout: 250ms", "timeout: 20s").replace("n: 1", "n: 2")
    after = after.replace("status: shadow", "status: paused").replace("retry_attempts: 0", "retry_attempts: 5")
    assert words(tmp_path, WHOLE, after) == [
        "partner acme_ads: timeout 250 ms → 20 s",
        "postback acme-install:\n"
        "    shadow → paused\n"
        "    retry attempts 0 → 5\n"
        "    body changed\n"
        '        was {"device": "{os_id}", "n": 1, "list": [true, null, 1.5]}\n'
        '        now {"device": "{os_id}", "n": 2, "list": [true, null, 1.5]}',
    ]


def test_a_changed_template_changes_the_postbacks_that_take_it(tmp_path: Path) -> None:
    after = WHOLE.replace("/i?click_id={click_id}", "/j?click_id={click_id}")
    partner, postback = words(tmp_path, WHOLE, after)
    assert partner.startswith("partner acme_ads: template install url changed\n    was https://")
    assert postback.startswith("postback acme-template: url changed\n    was https://")


def test_a_template_that_comes_or_goes_is_told_by_where_it_leads(tmp_path: Path) -> None:
    after = WHOLE.replace("    templates:\n", '    templates:\n      payment: {url: "https://a.example/"}\n')
    assert words(tmp_path, WHOLE, after) == ["partner acme_ads: template payment added (GET https://a.example/)"]


def test_a_key_of_ours_in_a_name_of_theirs_is_left_alone(tmp_path: Path) -> None:
    after = WHOLE.replace('fields: {app_key: "${env:ACME_KEY}"}', 'fields: {app_key: "${env:ACME_KEY}", wait_for: 10s}')
    assert words(tmp_path, WHOLE, after) == ["partner acme_ads: field wait_for added (10s)"]


def test_what_is_gone_is_removed(tmp_path: Path) -> None:
    before = load(tmp_path, WHOLE)
    after = Configuration(
        generation=0, sources=before.sources, apps=before.apps, partners=before.partners, postbacks=()
    )
    changes = difference(before, after)
    assert changes.words() == ["postback acme-install: removed", "postback acme-template: removed"]
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
    assert difference(before, turned).words() == ["source events: order", "source installs: order"]


def test_programs_get_the_values_as_they_stand_in_yaml(tmp_path: Path) -> None:
    after = WHOLE.replace("click_lookback: 3d", "click_lookback: 7d").replace("aliases: [acme]", "aliases: []")
    assert difference(load(tmp_path, WHOLE), load(tmp_path, after)).plain() == [
        {
            "what": "changed",
            "kind": "partner",
            "id": "acme_ads",
            "details": [
                {"what": "changed", "key": "aliases", "was": ["acme"], "now": []},
                {"what": "changed", "key": "click_lookback", "was": "3d", "now": "7d"},
            ],
        }
    ]
