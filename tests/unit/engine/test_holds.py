"""The index of holds of one partition."""

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.holds import Holds, hold_row


def test_a_device_is_due_only_when_progress_has_passed_its_time() -> None:
    holds = Holds()
    holds.put("a|1", 100, 1)
    assert holds.pop_due(100) is None
    assert holds.pop_due(101) == "a|1"


def test_devices_come_by_due_time() -> None:
    holds = Holds()
    holds.put("a|late", 300, 1)
    holds.put("a|soon", 100, 1)
    assert holds.pop_due(1_000) == "a|soon"
    holds.drop("a|soon")
    assert holds.pop_due(1_000) == "a|late"


def test_the_number_of_held_records_follows() -> None:
    holds = Holds()
    holds.put("a|1", 100, 1)
    holds.put("a|1", 100, 3)
    holds.put("a|2", 100, 2)
    assert holds.records == 5
    holds.drop("a|1")
    assert (holds.records, len(holds)) == (2, 1)


ROWS = st.dictionaries(st.text(min_size=1, max_size=8), st.tuples(st.integers(0, 2**62), st.integers(1, 1_000)))


@given(ROWS)
def test_what_the_rows_say_is_what_was_put(rows: dict[str, tuple[int, int]]) -> None:
    holds = Holds.load((hold_row(due, device), b"%d" % records) for device, (due, records) in rows.items())
    assert holds.records == sum(records for _, records in rows.values())
    found = []
    while (device := holds.pop_due(2**63)) is not None:
        found.append(holds.due_of(device))
        holds.drop(device)
    assert found == sorted(due for due, _ in rows.values())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), st.integers(0, 9)))))
def test_any_sequence_of_puts_and_drops_leaves_the_earliest(steps: list[tuple[str, int | None]]) -> None:
    holds, model = Holds(), dict[str, int]()
    for device, due in steps:
        if due is None:
            holds.drop(device)
            model.pop(device, None)
        else:
            holds.put(device, due, 1)
            model[device] = due
    assert holds.next_due() == min(model.values(), default=None)
