"""What is written for people holds together: links lead somewhere, tests that are named exist, the picture is one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / ".github").glob("*.md"))]

CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s]+)\)")
NAMED_TEST = re.compile(r"`(tests/\S+\.py)::(test_\w+)`")


def links(text: str) -> list[str]:
    """The targets of a page's links into the project."""
    return [link for link in LINK.findall(CODE.sub("", text)) if not re.match(r"https?:", link)]


@cache
def anchors(path: Path) -> set[str]:
    """What can stand behind the # of a link to this page: its headings as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, link: str) -> bool:
    """Whether a link on `page` leads nowhere, or out of the project."""
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return True
    return bool(anchor) and (target.suffix != ".md" or anchor not in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page.read_text()) if broken(page, link)] == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "README.md"
    assert not broken(page, "guarantees.md#nothing-is-lost")
    assert not broken(page, "#documentation")
    assert [broken(page, link) for link in ("guarantee.md", "guarantees.md#nothing", "#no", "../../etc")] == [True] * 4
    assert links("[a](b.md#c) `[no](x)` ![e](f.svg) [out](https://example.com)\n```\n[no](y)\n```\n") == [
        "b.md#c",
        "f.svg",
    ]


def test_the_pages_link_to_each_other() -> None:
    index = {link for link in links((ROOT / "docs" / "README.md").read_text()) if "/" not in link}
    assert index == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {"docs/README.md", "docs/tutorial.md", "docs/guarantees.md"} <= set(links((ROOT / "README.md").read_text()))


def test_every_guarantee_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    kept, _, _ = text.partition("## What is not promised")
    for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", kept, re.DOTALL | re.MULTILINE):
        assert NAMED_TEST.search(body), f"{title} names no test"
    named = NAMED_TEST.findall(text)
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).exists()
        or not re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)
    ]
    assert missing == []
    assert len(named) > 30


def test_the_picture_has_its_words_as_text_in_light_and_dark() -> None:
    text = (ROOT / "docs" / "flow.svg").read_text()
    root = ElementTree.fromstring(text)
    name = "{http://www.w3.org/2000/svg}"
    words = " ".join("".join(each.itertext()) for each in root.iter(f"{name}text"))
    assert {"worker", "delivery", "sender", "partner", "receipts,", "retry"} <= set(words.split())
    assert root.findtext(f"{name}title")
    assert root.get("viewBox")
    assert not root.findall(f".//{name}image")
    dark = re.search(r"@media \(prefers-color-scheme: dark\) \{(.*?)\n    \}", text, re.DOTALL)
    assert dark
    styled = re.compile(r"^\s*\.(\w+) \{[^}]*(?:fill|stroke): #", re.MULTILINE)
    assert set(styled.findall(dark[1])) == set(styled.findall(text.replace(dark[0], "")))
    assert re.search(r"!\[[^\]]{50,}\]\(docs/flow\.svg\)", (ROOT / "README.md").read_text())


def test_the_readme_has_its_sections_in_order() -> None:
    text = (ROOT / "README.md").read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "Two commands",
        "What the demo shows",
        "How it flows",
        "A first postback by hand",
        "What you can rely on",
        "Where to go next",
    ]
    assert text.index("<!-- demo capture -->") < text.index("<!-- /demo capture -->") < text.index("## How it flows")
