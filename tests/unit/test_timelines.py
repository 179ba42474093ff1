"""The worked examples of the docs are what the program makes of them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from schemas.config import DAY
from tests.examples import attribution
from tests.examples.histories import EXAMPLES, Example, Record
from tests.examples.timelines import Timeline, computed

SVG = "{http://www.w3.org/2000/svg}"
PAGE = attribution.PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found() -> dict[str, Timeline]:
    return attribution.timelines()


def test_the_page_says_what_the_program_says(found: dict[str, Timeline]) -> None:
    assert attribution.text(PAGE, found) == PAGE, "python -m tests.examples"
    assert [mark[2] for mark in attribution.MARKED.finditer(PAGE)] == [example.name for example in EXAMPLES]


def test_the_pictures_show_what_the_program_says(found: dict[str, Timeline]) -> None:
    kept = {path.stem: path.read_text(encoding="utf-8") for path in attribution.PICTURES.glob("*")}
    assert kept == {name: attribution.picture(timeline) for name, timeline in found.items()}, "python -m tests.examples"


def test_another_rule_makes_another_page_and_picture(found: dict[str, Timeline]) -> None:
    example = found["first-and-current"].example
    other = computed(example._replace(settings=(("inactivity_window", 60 * DAY),)))
    assert attribution.text(PAGE, found | {example.name: other}) != PAGE
    assert attribution.picture(other) != attribution.picture(found[example.name])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_a_picture_has_words_that_fit_its_paper(example: Example, found: dict[str, Timeline]) -> None:
    root = ElementTree.fromstring(attribution.picture(found[example.name]))
    width, height = (float(part) for part in (root.get("viewBox") or "").split()[2:])
    assert width == 700
    assert root.findtext(f"{SVG}title")
    words = [(each, "".join(each.itertext())) for each in root.iter(f"{SVG}text")]
    assert {str(number) for number in range(1, len(example.records) + 1)} <= {word for _, word in words}
    for each, word in words:
        room = 0 if each.get("style") else len(word) * 4
        assert room <= float(each.get("x") or 0) <= width - room, word
        assert 0 < float(each.get("y") or 0) < height - 4, word
    styles = root.findtext(f"{SVG}style") or ""
    light, _, dark = styles.partition("@media (prefers-color-scheme: dark)")
    coloured = re.compile(r"\.([\w-]+) \{[^}]*#")
    assert set(coloured.findall(light)) == set(coloured.findall(dark))


def test_each_rule_has_its_example(found: dict[str, Timeline]) -> None:
    told = " ".join(row.became for timeline in found.values() for row in timeline.rows)
    for word in ("held", "released", "a claim", "(late)", "too late", "a reinstall", "re-engagement", "re-install",
                 "visit with a click", "assumed organic", "24-hour period 2 of #2"):  # fmt: skip
        assert word in told
    sent = {event for one in found.values() for row in one.rows for _, events in row.sent for event in events}
    assert {"`new_user`", "`re_engagement_user`", "`first_payment` of the user", "`session`"} <= sent


def test_what_would_be_a_dead_letter_is_no_example() -> None:
    example = Example("bad", ("install",), (Record("install", 0, device=""),))
    with pytest.raises(ValueError, match="identifier"):
        computed(example)
