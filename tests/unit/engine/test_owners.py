"""Claims, as they are read in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.owners import Claim, Claims
from streams.engine.stages import Unit

UNITS = [Unit("device", 1), Unit("device", 11), Unit("user", 1)]
claims = st.builds(Claim, st.sampled_from(UNITS), st.sampled_from(["a", "b", "a-b"]))


def test_names_come_in_the_order_of_the_claims() -> None:
    read = Claims()
    for name in ("b", "a", "c"):
        read.add(Claim(UNITS[0], name).encode(), True)
    read.add(Claim(UNITS[0], "b").encode(), True)
    assert read.names(UNITS[0]) == ["a", "c", "b"]


@given(st.lists(st.tuples(claims, st.booleans())))
def test_a_claim_stands_until_it_is_withdrawn_and_concerns_its_own_partition_only(
    records: list[tuple[Claim, bool]],
) -> None:
    read = Claims()
    standing: set[Claim] = set()
    for claim, stands in records:
        read.add(claim.encode(), stands)
        (standing.add if stands else standing.discard)(claim)
    for unit in UNITS:
        assert set(read.names(unit)) == {claim.name for claim in standing if claim.unit == unit}
