"""The pages for those who come from another system say only what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from streams.attribution import events
from streams.config.load import load_directory
from streams.config.problems import ConfigurationErrors
from tests.examples import pages
from tests.examples.pages import Page

PAGES = pages.pages()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_word_of_a_page_is_one_of_ours(page: Page) -> None:
    assert pages.problems(page) == []
    assert next(page.tables(), None) is not None
    assert "## What is different" in page.text
    assert page.blocks("text")[0]


def test_every_postback_event_has_an_example() -> None:
    fired = set().union(*(pages.fires_on(page.configuration()) for page in PAGES))
    assert fired == {row.name for row in events.TABLE}
    used = [one for page in PAGES for one in page.configuration().postbacks]
    assert {one.scope for one in used} == {"device", "user"}
    assert {one.delivery_method for one in used} == {"all", "network", "network_and_agency"}
    assert {one.event.partition(":")[0] for one in used if one.match_event} == {"event"}


def test_every_key_of_a_postback_has_an_example() -> None:
    shown = set().union(*(pages.shown_keys(page) for page in PAGES))
    wanted = {key for key in pages.known_keys() if key.startswith("postbacks.")}
    assert wanted - shown == set()


def test_the_index_lists_every_form() -> None:
    listed = re.findall(r"\]\(([\w-]+\.md)\) \|$", (pages.FOLDER / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == [page.name for page in PAGES]
    assert len(PAGES) == 12


def test_postbacks_of_two_pages_stand_in_one_configuration() -> None:
    """The example of the index: one app, one partner, and each postback as it is on its page."""
    index = Page("README.md", (pages.FOLDER / "README.md").read_text())
    merged = index.configuration()
    assert (len(merged.apps), len(merged.partners), len(merged.postbacks)) == (1, 1, 2)
    before = index.text[: index.text.index("```yaml")].rpartition("\n\nFor example")[2]
    named = re.findall(r"\]\(([\w-]+\.md)\)", before)
    theirs = [page.configuration() for page in PAGES if page.name in named]
    assert len(theirs) == 2
    ours = {one.id: (one.event, one.delivery_method, one.endpoint) for one in merged.postbacks}
    found = {one.id: (one.event, one.delivery_method, one.endpoint) for two in theirs for one in two.postbacks}
    assert ours.items() <= found.items()
    assert [sum(one.id in {each.id for each in two.postbacks} for one in merged.postbacks) for two in theirs] == [1, 1]


def test_two_pages_in_one_folder_are_refused(tmp_path: Path) -> None:
    """What the index warns of."""
    for page in PAGES[1:3]:
        (tmp_path / f"{page.name}.yaml").write_text(page.blocks("yaml")[0])
    with pytest.raises(ConfigurationErrors, match="again"):
        load_directory(tmp_path)


def test_a_secret_in_a_header_and_a_hashed_device_id_are_shown() -> None:
    used = [one.endpoint for page in PAGES for one in page.configuration().postbacks]
    assert any("{partner." in value for one in used for value in one.headers.values())
    assert any("|sha" in parameter.value for one in used for parameter in one.parameters)


@pytest.mark.parametrize("name", ["kochava-event-postback", "kochava-reengagement", "mytracker-add-postback"])
def test_where_sessions_are_looked_for_it_says_whose_they_are(name: str) -> None:
    said = " ".join((pages.FOLDER / f"{name}.md").read_text().split())
    assert "after another brought the user back; there is no `session_ca`" in said


GOOD = """
| their field | our key | notes |
|---|---|---|
| Event | `postbacks.event` | a \\| b |

| their event | our event | |
|---|---|---|
| Install | `install` | |

| their macro | ours | |
|---|---|---|
| `{mt_gaid}` | `{google_aid\\|upper}` | |

| their field | our field | |
|---|---|---|
| `id` | `id` | |

```yaml
apps: [{id: game, platform: android}]
partners: [{id: acme}]
postbacks: [{id: p, app: game, partner: acme, event: install, url: "https://acme.example/i?c={click_id}"}]
```

```json
{"app_id": "game", "install_timestamp": "2026-01-02 03:04:05", "publisher_name": "acme", "click_id": "x", "os_id": "a"}
```

becomes

```text
p: GET https://acme.example/i?c=x
```
"""


@pytest.mark.parametrize(
    ("good", "bad", "problem"),
    [
        ("`postbacks.event`", "`postbacks.events`", "postbacks.events: no such thing as our key"),
        ("`postbacks.event`", "`postbacks.title`", "postbacks.title is not in the configuration"),
        ("`install`", "`instal`", "instal: no such thing as our event"),
        ("`{google_aid\\|upper}`", "`{google_id}`", "{google_id}: no such thing as ours"),
        ("`{google_aid\\|upper}`", "`{google_aid\\|uper}`", "{google_aid|uper}: no such macro"),
        ("becomes", "`{clickid}` becomes", "{clickid}: no such macro"),
        ("| `id` | `id` |", "| `id` | `ident` |", "ident: no such thing as our field"),
        ("| their field | our key |", "| their field | our word |", "a table with an unknown column 'our word'"),
        ("i?c=x", "i?c=y", "what goes out is out of step: python -m tests.examples"),
        ("```yaml", "```yml", "0 configurations"),
    ],
)
def test_a_page_that_says_something_else_is_found(good: str, bad: str, problem: str) -> None:
    assert pages.problems(Page("good.md", GOOD)) == []
    assert GOOD.count(good) == 1 or good == "`install`"
    assert problem in pages.problems(Page("bad.md", GOOD.replace(good, bad, 1)))


def test_a_configuration_with_a_mistake_is_found() -> None:
    with pytest.raises(ConfigurationErrors, match="patner"):
        Page("bad.md", GOOD.replace("partner: acme", "patner: acme")).configuration()
