"""Which postbacks an event concerns (contract §6: delivery methods, campaign, status, event matching)."""

import pytest

from schemas.touch import Touch
from streams.postbacks.index import Index
from tests.unit.postbacks.building import ACME, APP, INITECH, configuration, fact, jobs_of, postback, touch


def jobs(index: Index, what: object) -> list[str]:
    return [job.postback_id for job in jobs_of(index, what)]  # type: ignore[arg-type]


METHODS = ("all", "network", "network_and_agency")
EACH_METHOD = Index(configuration(*(postback(id=method, delivery_method=method) for method in METHODS)))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (None, ["all"]),
        (touch(), ["all", "network", "network_and_agency"]),
        (touch(publisher_name="globex"), ["all"]),
        (touch(publisher_name="globex", agency_name="acme_ads"), ["all", "network_and_agency"]),
        (touch(publisher_name=None, agency_name="acme_ads"), ["all", "network_and_agency"]),
        (touch(publisher_name="acme_ads", agency_name="acme"), ["all", "network", "network_and_agency"]),
    ],
    ids=["organic", "publisher", "another publisher", "agency", "agency alone", "publisher and agency at once"],
)
def test_the_delivery_method_says_whose_attribution_counts(by: Touch | None, expected: list[str]) -> None:
    assert jobs(EACH_METHOD, fact(by)) == expected


@pytest.mark.parametrize("name", ["acme_ads", "acme", "Acme Ads"])
def test_a_partner_is_known_by_its_id_and_its_aliases(name: str) -> None:
    assert jobs(Index(configuration(postback())), fact(touch(publisher_name=name))) == ["p"]


@pytest.mark.parametrize("name", ["ACME_ADS", "Acme", "acme ", "acme_ad"])
def test_names_are_compared_exactly(name: str) -> None:
    assert jobs(Index(configuration(postback())), fact(touch(publisher_name=name))) == []


@pytest.mark.parametrize(("field", "fires"), [("campaign_id", True), ("campaign_name", True), ("s_campaign", False)])
def test_a_campaign_is_matched_by_id_or_name(field: str, fires: bool) -> None:
    index = Index(configuration(postback(campaign="spring")))
    assert bool(jobs(index, fact(touch(**{field: "spring"})))) is fires


def test_a_general_postback_and_one_for_a_campaign_both_fire() -> None:
    index = Index(configuration(postback(id="general"), postback(id="spring", campaign="spring")))
    assert jobs(index, fact(touch(campaign_id="spring"))) == ["general", "spring"]
    assert jobs(index, fact(touch(campaign_id="autumn"))) == ["general"]


def test_a_paused_postback_gives_no_job() -> None:
    assert jobs(Index(configuration(postback(status="paused"))), fact(touch())) == []


def test_a_shadow_postback_gives_a_job_that_is_marked() -> None:
    index = Index(configuration(postback(status="shadow")))
    assert [job.shadow for job in jobs_of(index, fact(touch()))] == [True]


def test_event_matching_fires_on_the_other_event_and_reports_that_one() -> None:
    index = Index(configuration(postback(event="install", match_event="payment", url="https://x.example/?e={event}")))
    (job,) = jobs_of(index, fact(touch()))
    assert (job.event, job.request.url) == ("payment", ("https://x.example/?e=payment",))
    assert jobs(index, fact(touch(), event="install")) == []


def test_event_matching_on_an_event_of_the_user_is_of_the_user() -> None:
    index = Index(configuration(postback(event="install", match_event="new_user")))
    assert index.bucket(APP.id, "new_user", "user") is not None
    assert index.bucket(APP.id, "new_user", "device") is None
    assert index.bucket(APP.id, "install") is None


def test_another_event_and_another_app_concern_nobody() -> None:
    index = Index(configuration(postback(), app=APP))
    assert jobs(index, fact(touch(), event="first_payment")) == []
    assert jobs(index, fact(touch(), app_id="com.example.other")) == []


@pytest.mark.parametrize(("consent", "fires"), [(True, True), (False, False), (None, False)])
def test_a_partner_that_requires_consent_gets_only_records_with_it(consent: bool | None, fires: bool) -> None:
    partner = type(ACME)(id="acme_ads", name="Acme", consent="required")
    index = Index(configuration(postback(), partners=(partner, INITECH)))
    assert bool(jobs(index, fact(touch(), consent=consent))) is fires


def test_a_claim_is_for_networks_and_agencies_those_at_all_have_had_theirs() -> None:
    assert jobs(EACH_METHOD, fact(touch(), claim=True)) == ["network", "network_and_agency"]
