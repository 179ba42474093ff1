"""`forget_after`: a device or a user of which nothing has been appended for long enough is as if it had never been."""

from __future__ import annotations

from streams.attribution import forgetting
from tests.unit.attribution.timeline import DAY, HOUR, SECOND, Timeline, app
from tests.unit.attribution.users import Users

FOREVER = 9_000 * DAY


def test_a_device_that_comes_back_too_late_is_a_new_one() -> None:
    device = Timeline(forget_after=90 * DAY, install_grace=0)
    assert device.install(0, "acme") == ["install #1 acme"]
    device.event("payment", HOUR)
    assert device.install(90 * DAY + HOUR + SECOND, "globex") == ["install #1 globex"]
    assert "first_payment #1 globex" in device.event("payment", 90 * DAY + 2 * HOUR)


def test_until_then_it_is_the_one_that_it_was() -> None:
    device = Timeline(forget_after=90 * DAY, install_grace=0)
    device.install(0, "acme")
    assert device.install(90 * DAY, "globex") == ["re_install #2 globex"]


def test_by_default_nothing_is_forgotten() -> None:
    device = Timeline(install_grace=0)
    device.install(0, "acme")
    assert device.install(FOREVER, "globex") == ["re_install #2 globex"]


def test_append_times_count_and_not_what_a_record_says() -> None:
    device = Timeline(forget_after=90 * DAY, install_grace=0)
    device.install(0, "acme", appended=100 * DAY)
    assert device.install(100 * DAY, "globex", appended=190 * DAY) == ["re_install #2 globex"]
    assert device.install(200 * DAY, appended=280 * DAY + SECOND) == ["install #1 organic"]


def test_every_record_that_counts_keeps_it_also_one_that_fires_nothing() -> None:
    device = Timeline(forget_after=90 * DAY, install_grace=0)
    device.install(0, "acme")
    device.event("uninstall", 80 * DAY)
    assert device.install(160 * DAY, "globex") == ["re_install #2 globex"]


def test_duplicates_and_what_is_too_late_do_not_keep_it() -> None:
    device = Timeline(forget_after=90 * DAY, install_grace=0)
    device.install(0, id="i")
    device.event("launch", 10 * DAY, id="e")
    assert device.event("launch", 10 * DAY, id="e", appended=90 * DAY) == ["duplicate"]
    assert device.event("launch", HOUR, appended=95 * DAY) == ["too_late"]
    assert device.install(10 * DAY, appended=100 * DAY + SECOND, id="i") == ["install #1 organic"]


def test_what_is_held_is_decided_before_its_device_can_be_forgotten() -> None:
    device = Timeline(forget_after=DAY, install_grace=3 * DAY)
    assert device.event("launch", 0) == ["held"]
    assert device.event("payment", 2 * DAY) == ["held"]
    assert "app_open #1 organic" in device.install(2 * DAY + HOUR)


def test_a_user_is_new_again_after_its_project_has_forgotten_it() -> None:
    people = Users()
    device = Timeline(install_grace=0)
    assert people.install(device, 0, "acme") == ["new_user #1 acme"]
    state = people.state()
    assert not forgetting.is_forgotten(state.appended_s, state.appended_s * 1000 + 90 * DAY, 90 * DAY)
    assert forgetting.is_forgotten(state.appended_s, state.appended_s * 1000 + 90 * DAY + 1, 90 * DAY)
    assert not forgetting.is_forgotten(0, FOREVER, 90 * DAY)


def test_a_project_forgets_its_users_after_the_longest_of_its_apps() -> None:
    days = {"a": 30, "b": 60, "c": 90}
    apps = [app(id=name, project="p", forget_after=after * DAY) for name, after in days.items()]
    other = app(id="d", project="q", forget_after=None)
    assert forgetting.of_projects([*apps, other]) == {"p": 90 * DAY}
    never = app(id="e", project="p")
    assert forgetting.of_projects([*apps, other, never]) == {}
    assert forgetting.of_projects([never, *apps]) == {}
