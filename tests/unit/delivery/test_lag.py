"""How far behind the sender says it is."""

from __future__ import annotations

from streams.delivery.lag import Lag

NOW = 1_760_000_000_000


def test_the_end_of_a_transaction_is_no_record_that_waits() -> None:
    lag = Lag(0, NOW)
    lag.read(0, NOW)
    assert lag.measured(0, 2, NOW + 10) == (1, 0.01)
    lag.stood_at(2)
    assert lag.measured(0, 2, NOW + 20) == (0, 0.0)


def test_a_backlog_is_as_old_as_what_was_read_last() -> None:
    lag = Lag(0, NOW)
    assert lag.measured(0, 1_000, NOW + 2_000) == (1_000, 2.0)
    lag.read(9, NOW - 3_600_000)
    assert lag.measured(0, 1_000, NOW + 2_000) == (990, 3_602.0)


def test_the_first_record_after_a_quiet_hour_is_young() -> None:
    lag = Lag(0, NOW)
    lag.read(0, NOW)
    assert lag.measured(0, 1, NOW + 3_600_000) == (0, 0.0)
    assert lag.measured(0, 2, NOW + 3_602_000) == (1, 2.0)


def test_what_retention_took_is_not_waited_for() -> None:
    assert Lag(0, NOW).measured(90, 100, NOW)[0] == 10
