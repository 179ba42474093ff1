"""Configurations of so many postbacks over the whole vocabulary of derived events, and the worker before them."""

from __future__ import annotations

import itertools
import math
from typing import Any

from tests.benchmarks import contest, figures, progress, stand, workload
from tests.benchmarks.workload import APP, PARTITIONS

#: What the postbacks are on, in turn; those that come first are those that everybody has.
EVENTS = (
    *("payment", "install", "first_payment", "registration", "app_open", "session", "re_engagement", "new_user"),
    *("event:level_up", "payment_ca", "first_registration", "first_payment_ca", "authorization", "event_ca:coins"),
    *("first_event:gems", "registration_ca", "re_engagement_user", "first_authorization", "authorization_ca"),
    *("re_install", "first_event_ca:level_up", "first_authorization_ca", "custom_payment", "first_registration_ca"),
    *("first_custom_payment", "custom_payment_ca", "event:coins", "event_ca:level_up", "event:gems"),
)
#: Who gets them: only the first ever brings a user.
PARTNERS = ("bench_ads", "other_ads", "more_ads", "most_ads")

_HEAD = f"""\
apps:
  - {{id: {APP}, project: bench, platform: android, install_grace: 0s}}
partners:
"""
_POSTBACK = """\
  - id: bench-{number}
    app: {app}
    partner: {partner}
    event: "{event}"
    delivery_method: {method}
    url: https://postback.example.com/p?click_id={{click_id}}&aid={{google_aid|lower|sha256}}&e={{event}}&id={{job_id}}
"""


def configuration(postbacks: int) -> str:
    """So many postbacks, as YAML. The first is at `all`, and one in five of the others; the rest want their own source:
    the partners take turns, and one in four of them brings users.
    """
    partners = "".join(f"  - {{id: {name}, name: {name}}}\n" for name in PARTNERS)
    rows = []
    for number, event in zip(range(postbacks), itertools.cycle(EVENTS), strict=False):
        method = "all" if number % 5 == 0 else "network"
        partner = PARTNERS[number % len(PARTNERS)]
        rows.append(_POSTBACK.format(number=number, app=APP, partner=partner, event=event, method=method))
    return _HEAD + partners + "postbacks:\n" + "".join(rows)


def measure(records: int, postbacks: int, codec: str, devices: int) -> dict[str, Any]:
    """All sorts of records, with user ids, before so many postbacks.

    `rate`: input records a second; `jobs`: jobs for each; `cpu`: seconds of processor for 100,000 records.
    """
    with stand.stand(PARTITIONS, compression=codec, log_level="warning") as on:
        own = on.folder / "bench.yaml"
        own.write_text(configuration(postbacks))
        on.configure(own)
        workload.fill(on.bootstrap, "installs", workload.installs(devices), codec)
        workload.fill(on.bootstrap, "events", workload.mixed(devices, records), codec)
        process = on.start("worker")
        consumed = progress.Consumed(on)
        samples, others = contest.watch(on, [process], lambda _: consumed())
        consumed.close()
        jobs = stand.read_all(on.bootstrap, on.delivery)
        times = sorted(job.timestamp()[1] for job in jobs if b'"record_id":"e-' in (job.value() or b""))
        spent = (max(times[-1], progress.last_write(on)) - times[0]) / 1000
        used = figures.used(list(zip(samples.written, samples.own, strict=True)), 0, math.inf)
        return {
            "rate": records / spent,
            "jobs": len(times) / records,
            "cpu": None if used is None else used * len(times) / records * 100_000,
            "resident": max(samples.resident),
            "others": others,
        }
