"""Every fault of the delivery side names tests, and every test that is named exists."""

from __future__ import annotations

import pytest

from tests.unit.faults import FAULTS, Fault
from tests.unit.test_rules import ROOT, defined_in


def exists(named: str) -> bool:
    file, _, test = named.partition("::")
    folder, _, name = file.rpartition("/")
    return test in defined_in(ROOT / "tests" / folder / f"test_{name}.py")


def test_the_rows_are_all_there_in_their_order() -> None:
    assert [one.row for one in FAULTS] == [f"D{number}" for number in range(1, 29)]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.row)
def test_every_fault_is_made_by_tests_that_exist(fault: Fault) -> None:
    assert [named for named in fault.tests if not exists(named)] == []
    assert bool(fault.tests) != bool(fault.remark)


def test_a_test_that_does_not_exist_is_found() -> None:
    assert not exists("integration/sender_wire::test_nothing_of_the_kind")
    assert not exists("integration/nowhere::test_x")
