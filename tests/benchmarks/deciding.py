"""What a record costs to decide, by how many postbacks its app has: `python -m tests.benchmarks.deciding`.

Batches of payments of known devices go through `Pipeline.process`, with the rows in memory. The contestants take turns,
batch by batch, in one run: what is told are medians, and ratios to one postback.

* *one*: one postback, which matches;
* *50, one matches*: 25 more on the app's other derived events, 24 more on `payment` for other partners;
* *50 on its event*: 49 more on `payment` for other partners;
* *10 match*, *50 match*: the cost grows with what is rendered, by the same for each further job.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import statistics
import time
from collections.abc import Iterable

from schemas.config import DAY, App, Configuration, Endpoint, Partner, Postback, Source
from streams.engine.holds import Holds
from streams.engine.output import Limits, Names
from streams.engine.pipeline import Pipeline
from streams.engine.raw import Raw
from streams.kafka import partition_of
from streams.postbacks.decide import Level

START = 1_767_225_600_000
APP = App(
    id="com.example.game",
    project="example",
    platform="android",
    bundle_id="com.example.game",
    device_key=("google_aid", "os_id", "user_id"),
)
INSTALLS, EVENTS = Source(topic="installs", record="install"), Source(topic="events", record="event")
URL = (
    "https://postback.example.com/p?click_id={click_id}&aid={google_aid|lower|sha256}&at={event_timestamp}"
    "&event={event}&payout={revenue|fixed:2}&id={job_id}"
)
NAMES = Names("delivery", "decisions", "dead-letters", "users")
#: What a payment may cost with 50 postbacks of which one matches, times what it costs with one.
GOAL = 2.0
OTHER_EVENTS = (
    *("install", "re_install", "re_engagement", "app_open", "session", "new_user", "re_engagement_user"),
    *("registration", "registration_ca", "first_registration", "first_registration_ca"),
    *("authorization", "authorization_ca", "first_authorization", "first_authorization_ca"),
    *("custom_payment", "custom_payment_ca", "first_custom_payment", "first_custom_payment_ca"),
    *("first_payment", "first_payment_ca", "event:coins", "event_ca:coins", "first_event:gems", "event:level_up"),
)


def postback(number: int, event: str = "payment", **more: object) -> Postback:
    """An active postback of acme at `network`, but for what is given."""
    given: dict[str, object] = {"partner": "acme", "event": event, "endpoint": Endpoint(url=URL)} | more
    return Postback(id=f"p{number}", title="", app=APP.id, **given)  # type: ignore[arg-type]


def configuration(postbacks: Iterable[Postback]) -> Configuration:
    """Generation 1 with these postbacks and 60 partners."""
    partners = (Partner(id="acme", name="Acme"), *(Partner(id=f"other{number}", name="") for number in range(60)))
    return Configuration(
        generation=1, sources=(INSTALLS, EVENTS), apps=(APP,), partners=partners, postbacks=tuple(postbacks)
    )


def others() -> list[Postback]:
    """49 that do not match a payment that acme brought."""
    on_others = [postback(100 + number, event) for number, event in enumerate(OTHER_EVENTS)]
    partners = range(49 - len(on_others))
    ways = ("network", "network_and_agency")
    return on_others + [
        postback(200 + number, partner=f"other{number}", delivery_method=ways[number % 2]) for number in partners
    ]


CONTESTANTS: dict[str, Configuration] = {
    "one": configuration([postback(0)]),
    "50, one matches": configuration([postback(0), *others()]),
    "50 on its event": configuration(
        [postback(0), *(postback(number + 1, partner=f"other{number}") for number in range(49))]
    ),
    "10 match": configuration([postback(number) for number in range(10)]),
    "50 match": configuration([postback(number) for number in range(50)]),
}


class Contestant:
    """A pipeline with its rows, and `devices` that were installed and have paid once."""

    def __init__(self, of: Configuration, devices: int, level: Level) -> None:
        self.pipeline = Pipeline(NAMES, level, Limits(), partition_of)
        self.pipeline.configure(of)
        self.rows: dict[bytes, bytes] = {}
        self.holds = Holds()
        self.jobs = 0
        self.run([install(device) for device in range(devices)])
        self.run([payment(device, -1 - device) for device in range(devices)])

    def run(self, batch: list[Raw]) -> float:
        """Decide a batch and keep its rows; seconds."""
        began = time.perf_counter()
        output = self.pipeline.process(
            0, batch, None, START, lambda keys: [self.rows.get(key) for key in keys], self.holds, 1
        )
        taken = time.perf_counter() - began
        assert output.taken == len(batch)
        for key, value in output.puts.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.jobs = sum(one.topic == NAMES.delivery for one in output.outgoing)
        return taken


def install(device: int) -> Raw:
    """The install of a device, which acme brought."""
    touch = {"publisher_name": "acme", "campaign_id": "7", "click_id": f"click-{device:032}"}
    record = {"id": "i", "app_id": APP.id, "google_aid": f"device-{device:029}", "install_timestamp": START} | touch
    return Raw(INSTALLS.topic, 0, device, START, b"k", json.dumps(record).encode(), INSTALLS)


def payment(device: int, number: int) -> Raw:
    """The payment of a device that has this number among all."""
    at = START + 2 * DAY + number * 100
    record = {
        "id": f"payment-{number}",
        "app_id": APP.id,
        "platform": "android",
        "google_aid": f"device-{device:029}",
        "event_name": "payment",
        "event_timestamp": at,
        "revenue": 4.99,
        "currency": "USD",
        "params": {"sku": "gems_500", "level": 12},
    }
    return Raw(EVENTS.topic, 0, number, at, b"k", json.dumps(record).encode(), EVENTS)


def race(rounds: int, size: int, devices: int, level: Level = "nos") -> dict[str, tuple[float, float]]:
    """Microseconds a record, and jobs a record, of each contestant: the median of the rounds, which take turns."""
    contestants = {name: Contestant(of, devices, level) for name, of in CONTESTANTS.items()}
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds):
        batch = [payment((number * size + one) * 7 % devices, number * size + one) for one in range(size)]
        for name, contestant in contestants.items():
            taken[name].append(contestant.run(batch) / size * 1e6)
    return {name: (statistics.median(taken[name]), one.jobs / size) for name, one in contestants.items()}


def profile(name: str, size: int = 2_000) -> None:
    """Where the time of a contestant goes."""
    contestant = Contestant(CONTESTANTS[name], 500, "nos")
    batch = [payment(number % 500, number) for number in range(size)]
    profiler = cProfile.Profile()
    profiler.runcall(contestant.run, batch)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--size", type=int, default=1_000, help="records of a batch")
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--level", choices=("off", "nos", "all"), default="nos")
    parser.add_argument("--profile", choices=tuple(CONTESTANTS))
    arguments = parser.parse_args()
    if arguments.profile:
        profile(arguments.profile)
        return
    results = race(arguments.rounds, arguments.size, arguments.devices, arguments.level)
    one, _ = results["one"]
    print(f"{'postbacks':30}{'µs/record':>11}{'ratio':>8}{'jobs/record':>13}{'µs/further job':>16}")
    for name, (cost, jobs) in results.items():
        further = f"{(cost - one) / (jobs - 1):16.1f}" if jobs > 1 else ""
        print(f"{name:30}{cost:11.1f}{cost / one:8.2f}{jobs:13.1f}{further}")
    worst = max(results[name][0] / one for name in ("50, one matches", "50 on its event"))
    print(
        f"goal: 50 of which one matches cost at most {GOAL} × one: {'met' if worst <= GOAL else 'MISSED'} ({worst:.2f})"
    )


if __name__ == "__main__":
    main()
