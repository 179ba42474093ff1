"""Contract §4, *Claim*."""

from __future__ import annotations

from tests.unit.attribution.timeline import DAY, HOUR, START, Timeline

# An install of a device that was assumed organic


def test_an_install_of_an_assumed_device_fires_install_with_its_own_source() -> None:
    device = Timeline().assumed()
    assert device.install(DAY, "acme") == ["install #1 acme"]
    assert device.last.result == "processed"


def test_its_source_becomes_the_first_attribution_and_the_current_one_while_its_number_is_1() -> None:
    device = Timeline().assumed()
    device.install(DAY, "acme")
    assert device.event("payment", DAY + 1)[:2] == ["payment #1 acme", "payment_ca #1 acme"]


def test_a_later_current_attribution_stays() -> None:
    device = Timeline(install_grace=0).assumed()
    device.event("launch", 40 * DAY, "globex")
    assert device.install(40 * DAY + 1, "acme") == ["install #1 acme"]
    assert device.event("payment", 40 * DAY + 2)[:2] == ["payment #1 acme", "payment_ca #2 globex"]


def test_it_fires_once() -> None:
    device = Timeline().assumed()
    device.install(DAY, "acme")
    assert device.install(DAY + 1, "globex") == ["reinstall"]


def test_an_organic_install_claims_too() -> None:
    device = Timeline().assumed()
    assert device.install(DAY) == ["install #1 organic"]
    assert device.install(DAY + 1) == ["reinstall"]


def test_start_number_clock_and_used_firsts_stay() -> None:
    device = Timeline(install_grace=0)
    device.event("payment", 0)
    device.install(DAY, "acme")
    first = device.known.attributions[0]
    assert (first.number, first.start, device.clock()) == (1, START, 0)
    assert device.event("payment", DAY + 1) == ["payment #1 acme", "payment_ca #1 acme"]


def test_it_is_no_re_install_whatever_its_time() -> None:
    device = Timeline().assumed()
    assert device.install(300 * DAY, "acme") == ["install #1 acme"]
    assert device.sources() == ["acme"]
    assert device.install(300 * DAY + 1) == ["re_install #2 organic"]


def test_it_may_be_late() -> None:
    device = Timeline().assumed(DAY)
    assert device.install(DAY - HOUR, "acme", appended=DAY + HOUR) == ["install #1 acme"]
    assert device.last.late
    assert device.known.attributions[0].start == START + DAY


def test_the_time_of_the_install_is_known_from_then_on() -> None:
    device = Timeline().assumed()
    device.event("launch", HOUR)
    assert device.last.installed_at is None
    device.install(DAY, "acme")
    assert device.last.installed_at == START + DAY


def test_it_is_also_for_postbacks_at_all_which_had_none_before() -> None:
    device = Timeline().assumed()
    device.install(DAY, "acme")
    assert not device.last.derived[0].claim


# A second install record


def test_a_second_install_record_with_a_touch_claims_an_organic_install() -> None:
    device = Timeline()
    device.install(0)
    assert device.install(HOUR, "acme") == ["install #1 acme (claim)"]
    assert device.event("payment", DAY)[:2] == ["payment #1 acme", "payment_ca #1 acme"]
    assert device.last.installed_at == START


def test_its_time_lies_within_the_claim_window_of_the_organic_install() -> None:
    for at, claimed in ((2 * DAY, True), (2 * DAY + 1, False), (0, True), (-1, False)):
        device = Timeline()
        device.install(DAY)
        lines = device.install(at, "acme", appended=2 * DAY + 1)
        assert lines == (["install #1 acme (claim)"] if claimed else ["reinstall"]), at


def test_the_claim_window_is_the_apps() -> None:
    device = Timeline(claim_window=HOUR)
    device.install(0)
    assert device.install(HOUR + 1, "acme") == ["reinstall"]
    assert device.install(HOUR, "acme") == ["install #1 acme (claim)"]


def test_a_second_install_record_without_an_eligible_touch_claims_nothing() -> None:
    device = Timeline()
    device.install(0)
    assert device.install(HOUR) == ["reinstall"]
    assert device.install(HOUR, "quick", click=-1) == ["reinstall"]


def test_an_attributed_install_cannot_be_claimed() -> None:
    device = Timeline()
    device.install(0, "acme")
    assert device.install(HOUR, "globex") == ["reinstall"]


def test_an_install_is_claimed_once() -> None:
    device = Timeline()
    device.install(0)
    device.install(HOUR, "acme")
    assert device.install(HOUR, "globex") == ["reinstall"]


def test_a_device_that_was_assumed_organic_and_then_installed_organically_can_still_be_claimed() -> None:
    device = Timeline().assumed()
    device.install(10 * DAY)
    assert device.install(11 * DAY, "acme") == ["install #1 acme (claim)"]


def test_a_claim_does_not_move_the_clock() -> None:
    device = Timeline()
    device.install(0)
    device.install(HOUR, "acme")
    assert device.clock() == 0


def test_a_claim_is_no_re_install_even_where_the_inactivity_window_is_short() -> None:
    device = Timeline(inactivity_window=HOUR)
    device.install(0)
    assert device.install(2 * HOUR, "acme") == ["install #1 acme (claim)"]


def test_a_later_attribution_keeps_its_source_when_the_install_is_claimed() -> None:
    device = Timeline(install_grace=0, inactivity_window=HOUR)
    device.install(0)
    device.event("launch", 2 * HOUR, "globex")
    assert device.install(3 * HOUR, "acme") == ["install #1 acme (claim)"]
    assert device.sources() == ["acme", "globex"]


# An organic re-install


def re_installed(**settings: object) -> Timeline:
    device = Timeline(install_grace=0, **settings)  # type: ignore[arg-type]
    device.install(0, "globex")
    device.install(40 * DAY)
    return device


def test_an_organic_re_install_is_claimed_alike() -> None:
    device = re_installed()
    assert device.install(40 * DAY + HOUR, "acme") == ["re_install #2 acme (claim)"]
    assert device.event("payment", 41 * DAY)[:2] == ["payment #1 globex", "payment_ca #2 acme"]
    assert device.clock() == 41 * DAY


def test_within_the_claim_window() -> None:
    for at, claimed in ((41 * DAY, True), (41 * DAY + 1, False), (39 * DAY, True), (39 * DAY - 1, False)):
        lines = re_installed().install(at, "acme", appended=42 * DAY)
        assert lines == (["re_install #2 acme (claim)"] if claimed else ["reinstall"]), at


def test_it_is_claimed_once() -> None:
    device = re_installed()
    device.install(40 * DAY + 1, "acme")
    assert device.install(40 * DAY + 2, "initech") == ["reinstall"]


def test_its_claim_does_not_change_a_later_attribution() -> None:
    device = re_installed(inactivity_window=HOUR)
    device.event("launch", 40 * DAY + 2 * HOUR, "initech")
    assert device.install(40 * DAY + 1, "acme", appended=41 * DAY) == ["re_install #2 acme (claim)"]
    assert device.sources() == ["globex", "acme", "initech"]


def test_a_re_install_that_kept_a_source_is_not_organic() -> None:
    device = re_installed(reattribute_to_organic=False)
    assert device.sources() == ["globex", "globex"]
    assert device.install(40 * DAY + 1, "acme") == ["reinstall"]


def test_an_organic_re_engagement_cannot_be_claimed() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "globex")
    device.event("launch", 40 * DAY)
    assert device.install(40 * DAY + 1, "acme") == ["reinstall"]
