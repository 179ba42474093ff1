"""`ringback explain` and `ringback state`, beside a real worker and a real sender."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from schemas.config import DAY, HOUR
from schemas.control import Control
from streams.config import control
from streams.errors import RUNTIME
from streams.explain.words import moment
from streams.local.exchange import Answer
from streams.local.partner import Partner
from streams.settings import Settings
from tests.support.commands import Run, ringback
from tests.support.engine_bench import wait_ready
from tests.support.processes import Start
from tests.support.sending import Bench, sending
from tests.support.topics import Sent, create_topics
from tests.support.waiting import eventually_async

__all__ = ["ringback"]

DEVICE = "game|abc"
#: The devices of another user.
OTHERS = ("first", "second", "third")
#: Columns of the text; a line with a job or a topic of this test may be longer.
WIDTH = 90
CONFIGURATION = """\
sources: [{{topic: {prefix}installs, record: install}}, {{topic: {prefix}events, record: event}}]
apps: [{{id: game, project: shop, platform: android, device_key: [google_aid]}}]
partners:
  - {{id: acme, name: Acme}}
  - {{id: globex, name: Globex}}
  - {{id: slow, name: Slow}}
postbacks:
  - {{id: acme-install, app: game, partner: acme, event: install, url: '{url}/install?d={{google_aid}}'}}
  - {{id: acme-payment, app: game, partner: acme, event: payment, url: '{url}/payment?n={{revenue}}'}}
  - {{id: globex-payment, app: game, partner: globex, event: payment, url: '{url}/globex'}}
  - {{id: globex-first, app: game, partner: globex, event: first_payment, delivery_method: all, url: '{url}/first'}}
  - {{id: paused, app: game, partner: acme, event: payment, status: paused, url: '{url}/paused'}}
  - {{id: shadow, app: game, partner: acme, event: payment, status: shadow, url: '{url}/shadow'}}
  - {{id: waiting, app: game, partner: slow, event: payment, delivery_method: all, url: '{url}/slow'}}
  - {{id: users, app: game, partner: globex, event: new_user, delivery_method: all, url: '{url}/user'}}
  - {{id: user-first, app: game, partner: globex, event: first_payment, scope: user, delivery_method: all,
     url: '{url}/first'}}
  - {{id: user-back, app: game, partner: globex, event: re_engagement_user, delivery_method: all, url: '{url}/back'}}
  - {{id: secret, app: game, partner: globex, event: payment, delivery_method: all,
     url: '{url}/s?k=${{env:NO_SUCH_KEY}}'}}
  - {{id: opens, app: game, partner: globex, event: app_open, delivery_method: all, url: '{url}/open'}}
"""


class Shop:
    """One app, and the history of its device `game|abc`: times are days after its install, twenty days ago."""

    def __init__(self, settings: Settings, start: Start, folder: Path) -> None:
        self.bench = Bench(settings)
        self.bench.create()
        self.settings, self._start, self._folder = settings, start, folder
        self.now = int(time.time() * 1000)
        self.installed = self.now - 20 * DAY
        self._written: dict[str, list[Sent]] = defaultdict(list)
        inputs = [f"{settings.topic_prefix}{name}" for name in ("installs", "events")]
        create_topics(settings.bootstrap_servers, dict.fromkeys(inputs, settings.partitions))

    def apply(self, url: str) -> None:
        """Apply the configuration."""
        text = CONFIGURATION.format(prefix=self.settings.topic_prefix, url=url)
        (self._folder / "shop.yaml").write_text(text)
        process = self._start("apply", str(self._folder / "shop.yaml"))
        assert process.wait(60) == 0, process.output()

    def add(self, topic: str, record_id: str, at: int, appended: int | None = None, **fields: Any) -> None:
        """A record of the device; its append time is its own time unless told otherwise."""
        record = {"id": record_id, "app_id": "game", "google_aid": "ABC", "user_id": "u1"} | fields
        record[f"{topic[:-1]}_timestamp"] = at
        key = f"{record['app_id']}|{str(record['google_aid']).lower()}".encode()
        sent = Sent(json.dumps(record).encode(), key, timestamp=at if appended is None else appended)
        self._written[f"{self.settings.topic_prefix}{topic}"].append(sent)

    def history(self) -> None:
        """Write what the device did."""
        at = self.installed
        self.add("installs", "i-1", at, publisher_name="acme", click_timestamp=at - 3 * HOUR)
        self.add("events", "e-1", at + DAY, event_name="payment", revenue=1)
        self.add("events", "e-17", at + 13 * DAY, at + 13 * DAY + 2_000, event_name="payment", revenue=2)
        self.add("events", "e-17", at + 13 * DAY, at + 13 * DAY + 60_000, event_name="payment", revenue=2)
        self.add("events", "e-old", at + HOUR, at + 13 * DAY + 70_000, event_name="payment", revenue=3)
        self.add("installs", "i-2", at + 14 * DAY)
        self.add("events", "e-bad", at + 14 * DAY + 1_000, self.now - 1_000)
        self.add("events", "e-other", at, event_name="payment", app_id="other", google_aid="abc")
        self.add("events", "e-held", self.now, self.now, event_name="launch", google_aid="waits", user_id="u2")
        for number, device in enumerate(OTHERS):
            self.add("installs", f"u-{device}", at + number, google_aid=device, user_id=None)
            self.add("events", f"p-{device}", at + DAY, event_name="payment", google_aid=device, user_id="u9")
            self.add("events", f"n-{device}", at + DAY, event_name="payment", google_aid=device, user_id=None)
        for topic, records in self._written.items():
            self.bench.write(topic, records)


class Asking:
    """Runs commands, and gives what they say in one line."""

    def __init__(self, ringback: Run) -> None:
        self._ringback = ringback

    async def told(self, *arguments: str) -> str:
        """What a command says."""
        status, out, err = await asyncio.to_thread(self._ringback, *arguments)
        assert status == 0, err
        assert "records in" in err
        assert max(map(len, out.splitlines())) <= WIDTH
        return " ".join(out.split())

    async def refused(self, *arguments: str) -> str:
        """What a command says against it."""
        status, out, err = await asyncio.to_thread(self._ringback, *arguments)
        assert (status, out) == (RUNTIME, "")
        return " ".join(err.split())

    async def data(self, *arguments: str) -> Any:
        """What a command gives to programs."""
        status, out, err = await asyncio.to_thread(self._ringback, *arguments, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)


@pytest.mark.timeout(180)
async def test_the_story_of_records_that_a_worker_and_a_sender_have_seen(
    settings: Settings, start: Start, tmp_path: Path, ringback: Run
) -> None:
    shop, ask = Shop(settings, start, tmp_path), Asking(ringback)
    async with Partner() as partner:
        partner.answer("/payment", Answer(status=503), Answer())
        await asyncio.to_thread(shop.apply, partner.url("").rstrip("/"))
        control.write_control(settings, "partner", "slow", Control(paused=True, reason="they asked for it"))
        await asyncio.to_thread(shop.history)
        unread = await ask.told("explain", "e-1", "--device", DEVICE)
        assert "the worker has not read it yet. It comes after 0 other records" in unread
        assert "postbacks" not in unread
        assert "no worker of the group" in await ask.refused("state", DEVICE)

        worker = start("worker")
        async with sending(settings):
            await asyncio.to_thread(wait_ready, worker, 60)
            await eventually_async(lambda: asyncio.to_thread(lambda: len(shop.bench.terminal()) >= 13), within=40)
            await _postbacks(ask)
            await _results(ask)
            await _states(ask)
            await _nothing(ask)
            await _found(ask)
            await _users(ask)


async def _postbacks(ask: Asking) -> None:
    story = await ask.told("explain", "e-1", "-d", DEVICE)
    assert "touch" not in story
    for words in (
        "derived payment (by attribution 1, acme), payment_ca (by attribution 1, acme), first_payment",
        "✓ acme-payment (payment) → job",
        ", by attempt 2, ",
        "- attempt 1 at ",
        ": status 503 in",
        "✗ shadow (payment) → job",
        "the postback is in `shadow`: decided and reported, never sent",
        "… waiting (payment) → job",
        "waits: the partner slow is paused (they asked for it)",
        "✗ paused (payment) the postback is paused: `status: paused` in generation 1",
        "✗ globex-payment (payment) `payment` goes by attribution 1, acme; this postback is for globex as publisher",
        "… secret (payment) → job",
        "no attempt is charged: its request needs ${env:NO_SUCH_KEY}, and most likely a secret has no value",
        "✗ users (new_user) not a new user: the user shop|u1 was first seen at",
        "· 2 other postbacks of the app do not fire on a `payment`; --all lists them",
    ):
        assert words in story
    install = await ask.told("explain", "i-1", "-d", DEVICE)
    assert "acme: click 3 h before the record; lookback 7 d: counts" in install
    assert "✓ users (new_user) → job" in install
    found = await ask.data("explain", "e-17", "-d", DEVICE)
    first, second = found["records"]
    assert (first["result"], second["result"], second["postbacks"]) == ("processed", "duplicate", [])
    outcomes = {one["postback_id"]: one["job"] and one["job"]["outcome"] for one in first["postbacks"]}
    assert outcomes == {
        "acme-payment": "delivered", "shadow": "suppressed", "waiting": "waiting",
        "paused": None, "globex-payment": None, "globex-first": None, "users": None,
        "user-first": None, "user-back": None, "secret": "waiting",
    }  # fmt: skip
    assert found["doubts"] == []


async def _results(ask: Asking) -> None:
    old = await ask.told("explain", "e-old", "-d", DEVICE)
    assert "lies 12 d 23 h before the newest of its device" in old
    reinstall = await ask.told("explain", "i-2", "-d", DEVICE)
    assert "an install 1 d after the last activity or install at" in reinstall
    assert "✗ acme-install (install) not the first appearance of the device: it was installed at" in reinstall
    bad = await ask.told("explain", "e-bad", "-d", DEVICE)
    assert "It is a dead letter (invalid): a field is missing or wrong: event_name: " in bad
    assert "The dead letters hold it whole, written 2" in bad
    held = await ask.told("explain", "e-held", "-d", "game|waits")
    assert "It is held: the device is unknown, and its install may still come from another topic." in held
    assert "is configured" in await ask.told("explain", "e-other", "-d", "other|abc")


async def _states(ask: Asking) -> None:
    assert "attribution 1, by install acme; click 3 h before; used: first_payment_ca" in await ask.told("state", DEVICE)
    found = await ask.data("state", "--app", "game", "--id", "waits")
    assert (found["device_key"], found["held"], found["attributions"]) == ("game|waits", 1, [])
    assert (await ask.told("state", "game|ABC")).startswith("device game|abc, partition ")
    assert "first seen" in await ask.told("state", "--user", "shop|u1")
    assert "no user shop|nobody is known" in await ask.refused("state", "--user", "shop|nobody")


async def _nothing(ask: Asking) -> None:
    told = await ask.refused("explain", "nothing", "-d", DEVICE)
    assert "there is no record nothing of device game|abc among:" in told
    assert "events partition" in told
    assert "records of game|abc, by own time" in told
    assert "payment duplicate e-17" in told
    assert "did you mean e-old?" in await ask.refused("explain", "e_Old", "-d", DEVICE)
    recent = await ask.refused("explain", "e-1", "-d", DEVICE, "--since", "1d")
    assert "older ones are gone or were left out" in recent
    assert "no device game|typo is known" in await ask.refused("state", "game|typo")
    wrong = await ask.refused("explain", "e-1", "-d", "gone|abc")
    assert "no app gone is configured; there are game" in wrong
    assert "(none is of this device)" in wrong
    for close in (await ask.refused("explain", "e-1", "-d", "games|abc"), await ask.refused("state", "games|abc")):
        assert "no app games is configured; there are game (did you mean game?)" in close
    assert "no project shops is configured; there are shop" in await ask.refused("state", "--user", "shops|u1")


async def _found(ask: Asking) -> None:
    """What a device's key and a record's id are found by."""
    listed = await ask.told("explain", "-d", DEVICE)
    assert listed.startswith("records of game|abc, by own time")
    assert "payment processed e-17" in listed
    found = await ask.data("explain", "-d", "game|ABC")
    assert (found["device_key"], found["older"]) == (DEVICE, 0)
    results = {one["record_id"]: one["result"] for one in found["records"]}
    assert (results["i-2"], results["e-old"]) == ("reinstall", "too_late")
    assert "dead_letter" in results.values()
    wrong = "no record is of game|ABC: the device's key is game|abc, since identifiers of this kind are lower-cased"
    assert found["doubts"] == [wrong]
    assert wrong in await ask.told("explain", "e-1", "-d", "game|ABC")
    assert wrong in await ask.refused("explain", "nothing", "-d", "game|ABC")


async def _users(ask: Asking) -> None:
    """Three devices of one user, each in its partition: which one comes first is the worker's affair."""
    stories = {one: await ask.told("explain", f"p-{one}", "-d", f"game|{one}") for one in OTHERS}
    (first,) = [one for one, story in stories.items() if "✓ user-first (first_payment) → job" in story]
    at = (await ask.data("explain", f"p-{first}", "-d", f"game|{first}"))["records"][0]["at"]
    for one, story in stories.items():
        if one != first:
            named = f"record p-{first} of device game|{first} at {moment(at)}"
            assert f"not the first `payment` of the user: that was {named}" in story
            assert "the user's last activity, or first record, was 0 s before, record p-" in story
        else:
            assert "the record is the first of the user: nothing lies before it" in story
    without = await ask.told("explain", "n-third", "-d", "game|third")
    assert "`first_payment` needs the user (scope user), and the record carries no `user_id`" in without


async def test_before_the_first_configuration_there_is_nothing_to_explain(settings: Settings, ringback: Run) -> None:
    ask = Asking(ringback)
    for arguments in (("explain", "e", "-d", DEVICE), ("state", DEVICE)):
        told = await ask.refused(*arguments)
        assert f"there is no configuration under the prefix {settings.topic_prefix}" in told
        assert "RINGBACK_TOPIC_PREFIX" in told
