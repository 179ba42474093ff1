"""Contract §5, `session` as postbacks have it: from which start each one counts, and whose attribution it goes by."""

from __future__ import annotations

import pytest

from schemas.config import Partner
from streams.postbacks.index import Index
from tests.unit.attribution.timeline import DAY, HOUR, Timeline
from tests.unit.postbacks.building import ACME, INITECH, configuration, decided, jobs_of, postback

GLOBEX = Partner(id="globex", name="Globex")
METHODS = ("all", "network", "network_and_agency")


def index(*methods: str, partner: Partner = ACME, **more: object) -> Index:
    """A session postback of a partner at each of the methods."""
    postbacks = [
        postback(
            id=method,
            event="session",
            partner=partner.id,
            delivery_method=method,
            url="https://x.example/?n={attribution_number}&p={publisher_name}",
            **more,
        )
        for method in methods or METHODS
    ]
    return Index(configuration(*postbacks, partners=(ACME, INITECH, GLOBEX)))


def installed(by: str | None = "acme_ads") -> Timeline:
    device = Timeline(install_grace=0)
    device.install(0, by)
    return device


def sessions(of: Index, device: Timeline, at: int, **fields: object) -> dict[str, str]:
    """By delivery method: number and publisher of the attribution that each session of a launch goes by."""
    device.event("launch", at, **fields)
    return {job.postback_id: str(job.request.url[0]).partition("?")[2] for job in jobs_of(of, device.last)}


def test_at_all_periods_count_from_the_first_appearance_and_the_session_goes_by_the_current_attribution() -> None:
    device = installed(None)
    assert sessions(index("all"), device, DAY - 1) == {}
    assert sessions(index("all"), device, DAY) == {"all": "n=1&p="}
    assert sessions(index("all"), device, 40 * DAY, by="globex") == {"all": "n=2&p=globex"}
    assert sessions(index("all"), device, 40 * DAY + 1) == {}


def test_otherwise_they_count_from_the_latest_start_of_the_partners_attribution_and_go_by_that_one() -> None:
    device = installed(None)
    device.event("launch", 40 * DAY + HOUR, "acme_ads", click_id="c")
    assert sessions(index("network"), device, 41 * DAY) == {}
    assert sessions(index("network"), device, 41 * DAY + HOUR) == {"network": "n=2&p=acme_ads"}
    assert sessions(index("network"), device, 42 * DAY) == {}


def test_a_partner_that_is_not_current_any_more_has_its_sessions_by_its_own_attribution() -> None:
    device = installed()
    device.event("launch", 40 * DAY, "globex")
    found = sessions(index(), device, 41 * DAY)
    assert found == {
        "all": "n=2&p=globex",
        "network": "n=1&p=acme_ads",
        "network_and_agency": "n=1&p=acme_ads",
    }


def test_of_two_starts_of_the_partner_the_latest_counts() -> None:
    device = installed()
    device.event("launch", 40 * DAY + HOUR, "acme_ads")
    assert sessions(index("network"), device, 41 * DAY) == {}
    assert sessions(index("network"), device, 41 * DAY + HOUR) == {"network": "n=2&p=acme_ads"}


def test_a_partner_with_no_start_of_its_own_has_no_sessions() -> None:
    assert sessions(index("network", "network_and_agency", partner=GLOBEX), installed(), 2 * DAY) == {}


@pytest.mark.parametrize("name", ["acme_ads", "acme", "Acme Ads"])
def test_a_start_is_the_partners_by_its_id_and_its_aliases(name: str) -> None:
    assert sessions(index("network"), installed(name), DAY) == {"network": f"n=1&p={name.replace(' ', '%20')}"}


def test_two_names_of_one_partner_are_one_source_and_the_latest_of_them_counts() -> None:
    device = installed("acme_ads")
    device.event("launch", 40 * DAY + HOUR, "acme")
    assert sessions(index("network"), device, 41 * DAY) == {}
    assert sessions(index("network"), device, 41 * DAY + HOUR) == {"network": "n=2&p=acme"}


def test_a_start_is_an_agencys_for_network_and_agency_only() -> None:
    of = index("network", "network_and_agency", partner=INITECH)
    assert sessions(of, installed("globex/initech"), DAY) == {"network_and_agency": "n=1&p=globex"}


def test_for_network_and_agency_the_latest_start_as_publisher_or_as_agency_counts() -> None:
    device = installed("initech")
    device.event("launch", 40 * DAY + HOUR, "globex/initech")
    of = index("network", "network_and_agency", partner=INITECH)
    assert sessions(of, device, 41 * DAY) == {"network": "n=1&p=initech"}
    assert sessions(of, device, 41 * DAY + HOUR) == {"network_and_agency": "n=2&p=globex"}


def test_each_partner_counts_its_own_periods() -> None:
    device = installed("acme_ads")
    device.event("launch", 40 * DAY + HOUR, "globex")
    acme, globex = index("network"), index("network", partner=GLOBEX)
    device.event("launch", 41 * DAY)
    assert (len(jobs_of(acme, device.last)), len(jobs_of(globex, device.last))) == (1, 0)
    device.event("launch", 41 * DAY + HOUR)
    assert (len(jobs_of(acme, device.last)), len(jobs_of(globex, device.last))) == (0, 1)


def test_a_campaign_is_that_of_the_attribution_that_the_session_goes_by() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme_ads", campaign_id="spring")
    device.event("launch", 40 * DAY, "globex", campaign_id="autumn")
    device.event("launch", 41 * DAY)
    assert [job.postback_id for job in jobs_of(index("network", campaign="spring"), device.last)] == ["network"]
    assert jobs_of(index("network", campaign="autumn"), device.last) == []
    assert [job.postback_id for job in jobs_of(index("all", campaign="autumn"), device.last)] == ["all"]


def reasons(of: Index, device: Timeline, at: int) -> dict[str, str | None]:
    """By delivery method, why a launch is no session; None: it is one."""
    device.event("launch", at)
    decision = decided(of, device.last, "all").decision
    assert decision is not None
    return {verdict.postback_id: verdict.reason for verdict in decision.verdicts}


def test_the_decisions_tell_why_a_launch_is_no_session() -> None:
    device = installed("globex")
    assert reasons(index(), device, DAY - 1) == {
        "all": "same_period",
        "network": "other_source",
        "network_and_agency": "other_source",
    }
    assert reasons(index("all", "network", partner=GLOBEX), device, DAY) == {"all": None, "network": None}
    assert reasons(index("all", "network", partner=GLOBEX), device, DAY + 1) == {
        "all": "same_period",
        "network": "same_period",
    }
