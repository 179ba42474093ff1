"""The user stage: what the device stage tells it, and what it decides (contract §2, §5: scope U)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from schemas.config import DAY, App, Configuration, Endpoint, Partner, Postback, Source
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from schemas.job import Job
from schemas.report import ReportRow
from schemas.user import UserRecord
from streams.attribution import users
from streams.engine import counts
from streams.engine.output import Limits, Names, Output
from streams.engine.pipeline import Holds, Pipeline, Raw
from streams.engine.users import USER_PREFIX, UserPipeline, user_row
from streams.kafka import partition_of, users_partitions
from streams.postbacks.decide import Level
from tests.unit.engine.test_pipeline import EVENTS, INSTALLS, event, install

NAMES = Names("delivery", "decisions", "dead-letters", "users")
USERS = Source(topic="users", record="event")
APPS = tuple(
    App(id=name, project=project, platform=platform, bundle_id=name, device_key=("google_aid", "visitor_id"))
    for name, project, platform in (("game", "p", "android"), ("site", "p", "web"), ("other", "q", "android"))
)
EVENT_NAMES = ("new_user", "re_engagement_user", "first_payment", "first_custom_payment")


def configuration(*, apps: Sequence[App] = APPS, method: Any = "all", scope: Any = "user") -> Configuration:
    postbacks = tuple(
        Postback(
            id=f"{app.id}-{name}",
            title="",
            app=app.id,
            partner="acme",
            event=name,
            endpoint=Endpoint(url="https://x.example/?e={event}&n={attribution_number}&p={publisher_name}"),
            delivery_method=method,
            scope=scope if name.startswith("first") else "device",
        )
        for app in apps
        for name in EVENT_NAMES
        if app.platform != "web" or name != "first_payment"
    )
    return Configuration(
        generation=3, sources=(INSTALLS, EVENTS), apps=tuple(apps), partners=(Partner(id="acme", name="A"),),
        postbacks=postbacks,
    )  # fmt: skip


class Stages:
    """Both stages in memory, with one partition of each."""

    def __init__(
        self, config: Configuration | None = None, level: Level = "off", names: Names = NAMES, **limits: int
    ) -> None:
        config = config or configuration()
        self.device = Pipeline(names, level, Limits(**limits), partition_of)
        self.user = UserPipeline(names, level, Limits(**limits))
        self.device.configure(config)
        self.user.configure(config)
        self.rows: dict[bytes, bytes] = {}
        self.user_rows: dict[bytes, bytes] = {}
        self.holds = Holds()
        self.told: list[Raw] = []
        self.written: list[tuple[str, bytes]] = []

    def run(self, records: Sequence[Raw], progress: int | None = 1 << 60) -> list[str]:
        """What follows from these records for their users: the jobs' derived events."""
        now = records[-1].appended
        output = self.device.process(0, records, progress, now, self._reader(self.rows), self.holds, 1)
        self._put(self.rows, output)
        told = [one for one in output.outgoing if one.topic == "users"]
        start = len(self.told)
        self.told += [
            Raw("users", 0, start + number, now, one.key, one.value, USERS) for number, one in enumerate(told)
        ]
        return self.tell(self.told[start:])

    def tell(self, records: Sequence[Raw]) -> list[str]:
        output = self.user.process(0, records, None, 0, self._reader(self.user_rows), Holds(), 1)
        self._put(self.user_rows, output)
        self.written += [(one.topic, one.value) for one in output.outgoing]
        jobs = [msgspec.json.decode(one.value, type=Job) for one in output.outgoing if one.topic == "delivery"]
        return [f"{job.event} {job.record_id}" for job in jobs]

    def users(self) -> set[bytes]:
        """The users that have a state."""
        return {key for key in self.user_rows if key.startswith(USER_PREFIX)}

    def of(self, topic: str, kind: type[Any]) -> list[Any]:
        return [msgspec.json.decode(value, type=kind) for name, value in self.written if name == topic]

    @staticmethod
    def _reader(rows: dict[bytes, bytes]) -> Any:
        return lambda keys: [*map(rows.get, keys)]

    @staticmethod
    def _put(rows: dict[bytes, bytes], output: Output) -> None:
        rows.update({key: value for key, value in output.puts.items() if value is not None})


def test_the_first_record_that_ever_carries_the_user_id_is_a_new_user() -> None:
    stages = Stages()
    assert stages.run([install(user_id="u", id="i")]) == ["new_user i"]
    assert stages.run([event(5, user_id="u", name="win"), install(9, device="b", user_id="u")]) == []


def test_an_alias_of_the_id_in_another_project_is_another_user() -> None:
    stages = Stages()
    stages.run([install(user_id="u")])
    assert stages.run([install(5, user_id="u", app_id="other", id="o")]) == ["new_user o"]


def test_a_web_visit_and_an_app_of_one_project_share_their_users() -> None:
    stages = Stages()
    web = event(user_id="u", app_id="site", visitor_id="v", name="visit", id="w")
    assert stages.run([web]) == ["new_user w"]
    assert stages.run([install(5, user_id="u")]) == []


def test_a_reinstall_can_be_the_first_record_of_a_user() -> None:
    stages = Stages()
    assert stages.run([install()]) == []
    assert stages.run([install(DAY, user_id="u", id="again")]) == ["new_user again"]


def test_duplicates_and_what_is_too_late_say_nothing_about_a_user() -> None:
    stages = Stages()
    stages.run([install(id="i"), event(5 * DAY, name="win")])
    assert stages.run([install(5 * DAY + 1, id="i", user_id="u"), event(DAY, user_id="u", name="win")]) == []


def test_an_activity_on_any_device_after_the_window_is_a_re_engagement_of_the_user() -> None:
    stages = Stages()
    stages.run([install(user_id="u")])
    stages.run([install(20 * DAY, device="b", user_id="u"), event(21 * DAY, device="b", user_id="u", name="launch")])
    # 41 days after the device's own, but 20 after the user's last activity.
    assert stages.run([event(41 * DAY, user_id="u", name="launch")]) == []
    late = event(71 * DAY + 1, user_id="u", name="launch", id="back", publisher_name="acme")
    assert stages.run([late]) == ["re_engagement_user back"]
    (job,) = [one for one in stages.of("delivery", Job) if one.event == "re_engagement_user"]
    assert job.request.url == ("https://x.example/?e=re_engagement_user&n=3&p=acme",)


def test_the_first_payment_of_a_user_fires_once_whatever_the_device() -> None:
    stages = Stages()
    stages.run([install(user_id="u"), install(1, device="b", user_id="u")])
    assert stages.run([event(5, user_id="u", id="p1"), event(6, device="b", user_id="u")]) == ["first_payment p1"]
    assert stages.run([event(9, device="b", user_id="u", name="custom_payment", id="c")]) == ["first_custom_payment c"]


def test_a_first_payment_of_device_scope_is_no_matter_of_the_user_stage() -> None:
    stages = Stages(configuration(scope="device"))
    assert stages.run([install(user_id="u", id="i"), event(5, user_id="u")]) == ["new_user i"]


def test_a_record_without_a_user_id_is_not_told() -> None:
    stages = Stages()
    stages.run([install(), event(5, user_id="")])
    assert stages.told == []


def test_what_is_held_is_told_when_it_is_released() -> None:
    stages = Stages()
    assert stages.run([event(user_id="u", id="e")], progress=None) == []
    assert stages.run([event(1, user_id="u")]) == ["new_user e", "first_payment e"]


def test_each_user_lies_in_one_partition_of_at_most_16() -> None:
    stages = Stages()
    records = [install(n, device=f"d{n}", user_id=f"u{n}") for n in range(50)]
    placed = [one._replace(partition=partition_of(one.key or b"", 40)) for one in records]
    for raw in placed:
        output = stages.device.process(
            raw.partition, [raw], None, 0, lambda keys: [None] * len(keys), Holds(), 40
        )  # fmt: skip
        (told,) = [one for one in output.outgoing if one.topic == "users"]
        assert told.partition == partition_of(told.key or b"", users_partitions(40))
        assert told.key == f"p|{msgspec.json.decode(raw.value or b'')['user_id']}".encode()


def test_any_batch_boundaries_give_the_same_state() -> None:
    records = [install(user_id="u"), event(5, user_id="u"), event(40 * DAY, user_id="u", name="launch")]
    whole, parts = Stages(), Stages()
    whole.run(records)
    for raw in records:
        parts.run([raw])
    assert [one.value for one in parts.told] == [one.value for one in whole.told]
    assert parts.user_rows == whole.user_rows


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'{"kind":"event"}', b"\xff\xfe"])
def test_what_is_no_user_record_is_a_dead_letter(value: bytes) -> None:
    stages = Stages()
    assert stages.tell([Raw("users", 0, 7, 0, b"k", value, USERS)]) == []
    (letter,) = stages.of("dead-letters", DeadLetter)
    assert (letter.reason, letter.topic, letter.offset) == ("invalid", "users", 7)


@pytest.mark.parametrize("key", [None, b"\xff"])
def test_a_record_without_a_readable_key_is_a_dead_letter(key: bytes | None) -> None:
    stages = Stages()
    stages.run([install(user_id="u")])
    assert stages.tell([stages.told[0]._replace(key=key)]) == []
    (letter,) = stages.of("dead-letters", DeadLetter)
    assert (letter.reason, letter.topic) == ("invalid", "users")


def test_users_of_an_app_that_is_gone_are_ignored_and_counted() -> None:
    stages = Stages()
    stages.run([install(user_id="u")])
    stages.user.configure(configuration(apps=APPS[1:]))
    output = stages.user.process(0, stages.told, None, 0, lambda keys: [None] * len(keys), Holds(), 1)
    assert (output.outgoing, output.counts[("records_total", "users", "unknown_app")]) == ([], 1)


def test_what_a_worker_of_another_id_has_told_is_skipped_and_counted() -> None:
    """Under a new id the worker reads the topic from its beginning, and tells everything anew behind that."""
    old, new = Stages(names=NAMES._replace(worker="old")), Stages(names=NAMES._replace(worker="new"))
    of_before = Stages()
    old.run([install(9, device="b", user_id="u", id="later")])
    history = [install(user_id="u", id="first"), install(9, device="b", user_id="u", id="later")]
    assert new.tell(old.told) == []
    assert new.user_rows == {}
    assert new.run(history) == ["new_user first"]
    output = new.user.process(0, old.told, None, 0, lambda keys: [None] * len(keys), Holds(), 1)
    assert (output.taken, output.outgoing, output.puts) == (1, [], {})
    assert output.counts["records_total", "users", "foreign"] == 1
    # Before there was a worker in the record.
    of_before.run(history)
    assert old.tell(of_before.told) == []
    assert Stages(names=NAMES._replace(worker="new")).tell(of_before.told) == ["new_user first"]


def test_an_app_may_change_its_project_while_its_records_wait() -> None:
    stages = Stages()
    stages.run([install(user_id="u", id="i")])
    moved = [msgspec.structs.replace(app, project="elsewhere") for app in APPS]
    fresh = Stages(configuration(apps=moved))
    assert fresh.tell(stages.told) == ["new_user i"]
    assert fresh.users() == {user_row("p|u")}
    assert fresh.run([install(5, device="b", user_id="u", id="o")]) == ["new_user o"]
    assert fresh.users() == {user_row("p|u"), user_row("elsewhere|u")}


def test_records_are_counted_under_the_users_topic() -> None:
    stages = Stages()
    stages.run([install(user_id="u"), event(5, user_id="u", name="win")])
    output = stages.user.process(0, stages.told, None, 0, lambda keys: [None] * len(keys), Holds(), 1)
    assert output.counts["records_total", "users", "processed"] == 2


def test_a_rule_that_raises_leaves_the_user_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = Stages()
    stages.run([install(user_id="u")])
    before = dict(stages.user_rows)

    def broken(user: users.User, *_: object) -> None:
        user.firsts = 99
        raise ZeroDivisionError

    monkeypatch.setattr(users, "judge", broken)
    assert stages.run([event(5, user_id="u")]) == []
    (letter,) = stages.of("dead-letters", DeadLetter)
    assert letter.reason == "internal"
    assert before[user_row("p|u")] == stages.user_rows[user_row("p|u")]


def test_a_record_that_is_too_large_for_the_user_stage_is_a_dead_letter_too() -> None:
    stages = Stages(job_bytes=1_500)
    raw = install(user_id="u", params={"x": "y" * 1_400})
    output = stages.device.process(0, [raw], None, 0, lambda keys: [None] * len(keys), Holds(), 1)
    (letter,) = [one for one in output.outgoing if one.topic == "dead-letters"]
    found = msgspec.json.decode(letter.value, type=DeadLetter)
    assert found.reason == "too_large"
    assert "for the user stage" in found.detail


def test_decisions_of_users_are_told_apart_from_those_of_devices() -> None:
    stages = Stages(level="all")
    stages.run([install(user_id="u", id="i"), event(5, user_id="u", name="launch", id="l")])
    first, second = stages.of("decisions", Decision)
    assert (first.scope, first.record_id, [one.event for one in first.derived]) == ("user", "i", ["new_user"])
    verdicts = {verdict.event: verdict.reason for verdict in second.verdicts}
    assert verdicts == {"new_user": "not_first", "re_engagement_user": "inside_window"}


def test_daily_counts_of_both_scopes_are_told_apart() -> None:
    stages = Stages()
    stages.run([install(user_id="u", publisher_name="acme"), event(5, user_id="u")])
    told = [counts.told(key, value)[1] for key, value in stages.user_rows.items() if key.startswith(b"c")]
    rows = [msgspec.json.decode(value, type=ReportRow) for value in told]
    (events,) = [row for row in rows if row.kind == "events"]
    assert (events.stage, events.publisher_name, events.counts) == (
        "user",
        "acme",
        {"new_user": 1, "first_payment@user": 1},
    )


def test_the_told_record_holds_all_that_a_postback_may_need() -> None:
    stages = Stages()
    stages.run([install(user_id="u", publisher_name="acme", click_id="c", params={"big": 1 << 63})])
    told = msgspec.json.decode(stages.told[0].value or b"", type=UserRecord)
    assert users.entry_of(told).record.params == {"big": 1 << 63}
    assert told.first.touch is not None
    assert (told.first.touch.click_id, told.current) == ("c", None)


@pytest.mark.parametrize("at", [10**18, 2**66, -(10**15)])
def test_a_time_that_no_record_can_have_is_a_dead_letter(at: int) -> None:
    stages = Stages()
    stages.run([install(user_id="u")])
    told = msgspec.json.decode(stages.told[0].value or b"")
    raw = stages.told[0]._replace(value=msgspec.json.encode(told)[:-1] + b',"at":%d}' % at)
    assert stages.tell([raw]) == []
    assert [letter.reason for letter in stages.of("dead-letters", DeadLetter)] == ["invalid"]


def test_a_record_that_is_nested_without_end_is_a_dead_letter() -> None:
    stages = Stages()
    stages.run([install(user_id="u")])
    deep = b'{"record":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert stages.tell([stages.told[0]._replace(value=deep)]) == []
    assert [letter.reason for letter in stages.of("dead-letters", DeadLetter)] == ["invalid"]
