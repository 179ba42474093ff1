"""The identity of a job (contract §7)."""

from hypothesis import given
from hypothesis import strategies as st

from streams.postbacks.jobs import job_id

PARTS = ("acme-install", "install", "com.example.game", "com.example.game|abc", "install", "i-1", 1_767_323_045_000)


def test_it_is_the_same_for_ever() -> None:
    """A golden value: if this test fails, every partner would take replayed jobs for new ones."""
    assert job_id(*PARTS) == "c3deb14585fd836cb66cabcfa9eea759"


def test_it_has_128_bits() -> None:
    assert len(bytes.fromhex(job_id(*PARTS))) == 16


@given(st.integers(0, 6), st.text(max_size=20))
def test_another_part_is_another_job(place: int, other: str) -> None:
    parts = list(PARTS)
    parts[place] = PARTS[place] + 1 if place == 6 else f"{PARTS[place]}{other}!"  # type: ignore[operator]
    assert job_id(*parts) != job_id(*PARTS)  # type: ignore[arg-type]


@given(st.lists(st.text(max_size=4), min_size=6, max_size=6), st.lists(st.text(max_size=4), min_size=6, max_size=6))
def test_no_two_lists_of_parts_are_confused(one: list[str], other: list[str]) -> None:
    assert (job_id(*one, 0) == job_id(*other, 0)) == (one == other)


def test_text_that_is_not_unicode_has_an_identity_too() -> None:
    assert len(job_id("p", "install", "a", "a|\ud800", "event", "\udfff", 0)) == 32
