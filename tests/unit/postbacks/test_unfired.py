"""At the level `all` the decisions tell of each candidate postback why its derived event did not fire (issue: the noes
of contract §4 and §5).
"""

from __future__ import annotations

import pytest

from schemas.decision import NOES, QUIET
from streams.postbacks.decide import decide
from streams.postbacks.index import Index, Scope
from tests.unit.attribution.timeline import DAY, Timeline
from tests.unit.attribution.users import Users
from tests.unit.postbacks.building import NOW, configuration, postback


def told(device: Timeline | Users, *events: str, scope: Scope = "device", **more: object) -> dict[str, str | None]:
    """By event of a postback at `all`, the reason of its no to the last record; None: a job."""
    postbacks = [postback(id=event, event=event, delivery_method="all", scope=scope, **more) for event in events]
    decision = decide(Index(configuration(*postbacks)), device.last, NOW, "all", 10**6, scope).decision
    return {} if decision is None else {verdict.postback_id: verdict.reason for verdict in decision.verdicts}


def installed() -> Timeline:
    device = Timeline(install_grace=0)
    device.install(0, "acme_ads")
    return device


def test_not_the_first_of_the_device() -> None:
    device = installed()
    device.event("payment", 1)
    assert told(device, "first_payment", "first_payment_ca") == {"first_payment": None, "first_payment_ca": None}
    device.event("payment", 2)
    assert told(device, "payment", "first_payment", "first_payment_ca") == {
        "payment": None,
        "first_payment": "not_first",
        "first_payment_ca": "not_first_since",
    }


def test_not_the_first_custom_event_of_this_name() -> None:
    device = installed()
    for at in (1, 2):
        device.event("coins", at)
    assert told(device, "first_event:coins", "first_event_ca:coins", "first_event:gems") == {
        "first_event:coins": "not_first",
        "first_event_ca:coins": "not_first_since",
    }


def test_the_first_since_an_attribution_is_not_the_first_of_the_lifetime() -> None:
    device = installed()
    device.event("payment", 1)
    device.event("payment", 40 * DAY)
    assert told(device, "first_payment", "first_payment_ca", "re_engagement") == {
        "first_payment": "not_first",
        "first_payment_ca": None,
        "re_engagement": None,
    }


def test_an_activity_inside_the_window_is_no_re_engagement() -> None:
    device = installed()
    device.event("launch", 30 * DAY)
    assert told(device, "re_engagement") == {"re_engagement": "inside_window"}


def test_an_install_inside_the_window_is_neither_an_install_nor_a_re_install() -> None:
    device = installed()
    device.install(1)
    assert told(device, "install", "re_install") == {"install": "not_first", "re_install": "inside_window"}


def test_the_install_of_a_device_might_not_have_been_a_second_one() -> None:
    device = Timeline()
    device.install(0)
    assert told(device, "re_install") == {}


def test_a_late_activity_re_engages_nobody_because_it_is_late() -> None:
    device = installed()
    device.event("coins", 41 * DAY)
    device.event("launch", 40 * DAY, appended=41 * DAY)
    assert told(device, "re_engagement") == {"re_engagement": "late"}


def test_a_late_install_is_no_re_install_because_it_is_late() -> None:
    device = installed()
    device.event("custom_payment", 50 * DAY)
    device.install(49 * DAY, appended=51 * DAY)
    assert device.last.result == "reinstall"
    assert told(device, "install", "re_install") == {"install": "not_first", "re_install": "late"}


def test_a_first_record_might_not_have_been_a_re_engagement() -> None:
    device = Timeline(install_grace=0)
    device.event("launch", 0)
    assert told(device, "re_engagement", "app_open") == {"app_open": None}
    device.event("launch", 0)
    assert told(device, "re_engagement") == {"re_engagement": "inside_window"}


def test_the_first_record_of_a_user_on_a_known_device_might_be_a_re_engagement_of_the_device_only() -> None:
    people, phone = Users(), installed()
    people.event(phone, "launch", 1)
    assert told(phone, "re_engagement") == {"re_engagement": "inside_window"}
    assert told(people, "re_engagement_user", "new_user", scope="user") == {"new_user": None}


@pytest.mark.parametrize("method", ["all", "network", "network_and_agency"])
def test_a_launch_before_all_attributions_is_no_session_because_it_is_late(method: str) -> None:
    device = Timeline(install_grace=0)
    device.install(2 * DAY, "acme_ads")
    device.event("launch", DAY, appended=2 * DAY)
    session = postback(event="session", delivery_method=method)
    decision = decide(Index(configuration(session)), device.last, NOW, "all", 10**6).decision
    assert decision is not None
    assert [(verdict.event, verdict.reason) for verdict in decision.verdicts] == [("session", "late")]


def test_an_event_that_is_no_activity_might_not_have_been_a_re_engagement() -> None:
    device = installed()
    device.event("coins", 40 * DAY)
    assert told(device, "re_engagement", "install", "payment") == {}


def test_what_was_not_processed_might_not_have_been_anything() -> None:
    device = Timeline()
    device.event("payment", 0, id="e")
    assert told(device, "first_payment", "re_engagement") == {}
    device.event("payment", 0, id="e")
    assert told(device, "first_payment", "re_engagement") == {}


def test_of_users_too() -> None:
    people, phone = Users(), installed()
    people.event(phone, "payment", 1)
    assert told(people, "new_user", "re_engagement_user", "first_payment", scope="user") == {
        "new_user": None,
        "first_payment": None,
    }
    people.event(phone, "payment", 2)
    assert told(people, "new_user", "first_payment", scope="user") == {
        "new_user": "not_first",
        "first_payment": "not_first",
    }
    assert told(people, "re_engagement_user", scope="user") == {"re_engagement_user": "inside_window"}
    people.event(phone, "launch", 40 * DAY, user_id="v")
    people.event(phone, "coins", 40 * DAY)
    people.event(phone, "launch", 39 * DAY, appended=41 * DAY)
    assert told(people, "re_engagement_user", scope="user") == {"re_engagement_user": "late"}


def test_each_scope_tells_of_its_own_postbacks() -> None:
    people, phone = Users(), installed()
    people.event(phone, "payment", 1)
    assert told(people, "payment", "first_payment", scope="user") == {"first_payment": None}
    both = Index(
        configuration(
            postback(id="d", event="first_payment"),
            postback(id="u", event="first_payment", scope="user"),
            postback(id="n", event="new_user"),
        )
    )
    for scope, fact, expected in (("device", phone.last, ["d"]), ("user", people.last, ["n", "u"])):
        jobs = decide(both, fact, NOW, "off", 10**6, scope).jobs  # type: ignore[arg-type]
        assert sorted(ready.job.postback_id for ready in jobs) == expected


def test_the_level_nos_leaves_out_what_did_not_fire() -> None:
    device = installed()
    device.event("payment", 1)
    device.event("payment", 2)
    index = Index(configuration(postback(event="first_payment", delivery_method="all")))
    assert decide(index, device.last, NOW, "nos", 10**6).decision is None


def test_the_quiet_noes_are_noes() -> None:
    assert NOES.keys() > QUIET


def test_no_postback_is_told_of_twice() -> None:
    device = installed()
    for at in (1, DAY + 1, DAY + 2, 40 * DAY):
        for name in ("payment", "coins", "launch"):
            device.event(name, at)
    events = [
        *("payment", "payment_ca", "first_payment", "first_payment_ca", "install", "re_install", "re_engagement"),
        *("session", "app_open", "event:coins", "first_event:coins"),
    ]
    methods = ("all", "network", "network_and_agency")
    postbacks = [
        postback(id=f"{event} {method}", event=event, delivery_method=method) for event in events for method in methods
    ]
    index = Index(configuration(*postbacks))
    for fact in device.facts:
        decision = decide(index, fact, NOW, "all", 10**6).decision
        assert decision is not None
        named = [verdict.postback_id for verdict in decision.verdicts]
        assert len(named) == len(set(named))
