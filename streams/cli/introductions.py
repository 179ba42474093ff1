"""What stands above the tables on the pages of `docs/`, by page: why one would look there, and how to read them."""

from __future__ import annotations

from streams.settings import DEFAULT_FILE, PREFIX, Settings

INTRODUCTIONS = {
    "settings.md": f"""\
Each comes from the environment or from `{DEFAULT_FILE}` in the working directory (another file: `--config` or
`{PREFIX}CONFIG_FILE`); the environment wins. Durations are a number with a unit: `50ms`, `30s`, `5m`, `1h`, `2d`.
`ringback settings` shows what is in force.

Every process reads the same ones and takes what concerns it. Two workers on one machine need a `state_dir` and a
`metrics_port` each.
""",
    "metrics.md": """\
For Prometheus, on `/metrics` of every process: by default the worker's port is 9464 and the sender's 9465
(`metrics_port`, `sender_metrics_port`). There, `/healthz` says that a process lives, `/readyz` that it has its work.
Times are in seconds. Labels are bounded by the configuration: never a device. Next to these metrics stand the client
library's own (`process_…`, `python_…`).

[deploy/prometheus](../deploy/prometheus) scrapes them and has alerts, each with what to do;
[deploy/grafana](../deploy/grafana) shows them on one dashboard.
""",
    "events.md": """\
A record that comes in, such as a payment, yields *derived events*, such as `payment` and `first_payment`, and each
postback fires on one of them. Whose event it is says the attribution: `first` is that of the device's first appearance
and stays, `current` starts anew with each re-install and re-engagement. So `payment` goes to who brought the user at
first, `payment_ca` (for *current attribution*) to who did last. `<name>` stands for the name of a custom event:
`event:level_up`.
""",
    "doctor.md": """\
`ringback doctor` makes all of these, in this order, whatever becomes of each, and changes nothing. What it finds is
*ok*, a *warning* (it works, but not for ever, not everywhere, or not yet) or *wrong*, with what to do about it. The
exit status is 1 when anything is wrong.

`--json` gives one object: `ok`, and `checks` with `name`, `looks_at`, `verdict` and `findings`, each of which has
`verdict`, `found` and `remedy`.
""",
    "macros.md": """\
`{macro|modifier|modifier:argument}` in a URL, a parameter's value, a header or a body. A value is inserted once and
encoded for the place where it stands; `{{` and `}}` are literal braces. A macro without a value is empty, unless a
modifier or the parameter's `when_missing` says otherwise.

| written | becomes |
|---|---|
| `id={click_id}` | `id=a%20b%26c`, when the click's id is `a b&c` |
| `d={google_aid\\|lower\\|sha256}` | `d=` and 64 hex digits |
| `paid={revenue\\|fixed:2}` | `paid=9.90`, when the revenue is 9.9 |
| `at={event_timestamp\\|unix}` | `at=1767434130` |
| `c={campaign_name\\|default:none}` | `c=none`, when there is no campaign |

*Level* says where a value comes from: the *record*; the *attribution* that the event goes by (withheld by
`supply_network_data: false`); the *job*; the *partner*'s `fields`; or the moment of sending: *deferred*.
""",
    "modifiers": """\
Applied from left to right. A missing value stays missing, but for `default` and `required`. Without an entry under
*gives*, the kind of the value stays what it was.
""",
    "topics.md": f"""\
With the default `topic_prefix`, `{Settings.model_fields["topic_prefix"].default}`; the sources name the input topics.
`ringback topics create` makes what is missing, `ringback topics list` shows what is there. The worker keeps its state
in a changelog, `<worker_id>-device-changelog`, which it makes itself.

A topic keeps its records for a time, or is compacted: the newest record of each key is kept for ever. To look into
one: `python -m streams.local.read ringback.receipts`.
""",
    "outcomes.md": """\
What can become of an input record, why a postback gave no job, and why something is a dead letter. The first are
labels of `ringback_records_total` (which also counts `dead_letter`) and stand in the decisions topic with the second;
the third stand in the dead letters. To look:

    python -m streams.local.read ringback.decisions record_id result verdicts.postback_id verdicts.reason
    python -m streams.local.read ringback.dead-letters kind reason detail topic partition offset
""",
    "names": """\
What `event_name` of a record may be; an install has `install`. Every other name is a custom event. An *activity* shows
that somebody uses the app: one after more than the app's `inactivity_window` without any is a re-engagement. The other
spellings are for records only; a configuration uses the name.
""",
}
