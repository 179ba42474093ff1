"""What stands above the tables on the pages of `docs/`, by page: why one would look there, and how to read them."""

from __future__ import annotations

from schemas import decision
from streams.settings import DEFAULT_FILE, PREFIX, Settings

#: The noes that `decisions_level: nos` leaves out, in the order of their table.
QUIET = ", ".join(f"`{name}`" for name in decision.NOES if name in decision.QUIET)

INTRODUCTIONS = {
    "settings.md": f"""\
Each comes from the environment or from `{DEFAULT_FILE}` in the working directory (another file: `--config` or
`{PREFIX}CONFIG_FILE`); the environment wins. Durations are a number with a unit: `50ms`, `30s`, `5m`, `1h`, `2d`;
sizes too: `64KiB`, `128MiB`, `1GiB`. [Recovery](recovery.md) tells of standbys, the watchdog, memory and changelogs.
`ringback settings` shows what is in force.

Every process reads the same ones and takes what concerns it. Two workers on one machine need a `state_dir` and a
`metrics_port` each, two senders a `sender_metrics_port` each; `--processes` sees to that ([several
processes](processes.md)). With the same port or the same `state_dir` the second one does not start: it says that the
port cannot be opened, or which process has the state, exit status 2. A process that is ending is waited for.

The ports are open on every address of the machine (`metrics_host`), and ask nobody who they are: behind a firewall, or
with `127.0.0.1`. That of [the look-ups](lookups.md) is closed by default, and on this machine only.
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
first, `payment_ca` (for *current attribution*) to who did last. Only `session` goes by neither: each partner has its
own, and keeps getting them after another one has brought the user back; there is no `session_ca`. `<name>` stands for
the name of a custom event: `event:level_up`. `ringback events` lists the same in a terminal, `--platform web` what an
app may use.

*Scope* is whose event it is: the device's within its app, or the user's (the `user_id`) within the app's `project`, on
whatever device, app or platform. Where it is *device or user*, the postback chooses with `scope: user`. An event of a
user goes by the attribution of the device that it happens on. *Family* is the incoming event that it comes from, or
what befalls the device or user. *Mobile* is android, ios and windows.
""",
    "doctor.md": """\
`ringback doctor` makes all of these, in this order, whatever becomes of each. What it finds is *ok*, a *warning* (it
works, but not for ever, not everywhere, or not yet) or *wrong*, with what to do about it. The exit status is 1 when
anything is wrong.

It mends nothing, and leaves behind only what no reader of committed records sees: `clock` has the broker stamp an empty
record in partition 0 of the longest delay topic, in a transaction that is aborted.

`--json` gives one object: `ok`, and `checks` with `name`, `looks_at`, `verdict` and `findings`, each of which has
`verdict`, `found` and `remedy`.
""",
    "macros.md": """\
`{macro|modifier|modifier:argument}` in a URL, a parameter's value, a header or a body. A value is inserted once and
encoded for the place where it stands; `{{` and `}}` are literal braces. A macro without a value is empty, unless a
modifier or the parameter's `when_missing` says otherwise; where it is all that a string of a [JSON body](#bodies) has,
it is `null`.

| written | becomes |
|---|---|
| `id={click_id}` | `id=a%20b%26c`, when the click's id is `a b&c` |
| `d={google_aid\\|lower\\|sha256}` | `d=` and 64 hex digits |
| `paid={revenue\\|fixed:2}` | `paid=9.90`, when the revenue is 9.9 |
| `at={event_timestamp\\|unix}` | `at=1767434130` |
| `c={campaign_name\\|default:none}` | `c=none`, when there is no campaign |

To try a template: `ringback render POSTBACK --record FILE` shows the request that a record makes of it, byte for byte,
and `--config DIR` takes files that are not applied yet.

*Level* says where a value comes from: the *record*; the *attribution* that the event goes by (withheld by
`supply_network_data: false`); the *job*; the *partner*'s `fields`; or the moment of sending: *deferred*.
""",
    "modifiers": """\
Applied from left to right. A missing value stays missing, but for `default` and `required`. Without an entry under
*gives*, the kind of the value stays what it was.
""",
    "bodies": """\
A `body` that is written as a mapping (or list) is sent as JSON:

* A string that is exactly one macro, modifiers included, becomes a value of the macro's kind, and `null` when there is
  none: `"{revenue|fixed:2}"` becomes `9.90`, `"{params}"` an object.
* In every other string values are text: `"paid {revenue}"` becomes `"paid 9.9"`, and what is missing is empty.
* Keys are literal, braces too. Numbers, `true`, `false` and `null` stay what they are.
* The Content-Type is `application/json`, unless `headers` say another one. With `application/x-www-form-urlencoded`
  the mapping is sent as a form: `name=value` for each key, a list repeats its name, what is missing is empty.

A `body` that is written as text is sent as it stands, as `text/plain; charset=utf-8` unless `headers` say another
Content-Type; braces of its own are written `{{` and `}}`. With the Content-Type of JSON, values are escaped for the
inside of a string; with that of a form they are percent-encoded; with any other they go in as they are.
""",
    "topics.md": f"""\
With the default `topic_prefix`, `{Settings.model_fields["topic_prefix"].default}`; the sources name the input topics.
`ringback topics create` makes what is missing, `ringback topics list` shows what is there. The worker keeps its state
in two changelogs, `<worker_id>-device-changelog` and `<worker_id>-user-changelog`, which it makes itself; the second
has as many partitions as the users topic. A source with `rekey: true` goes through `<worker_id>-rekey-<topic>`
([why, and how](rekey.md)); how far it has come stands in `<worker_id>-rekeyer-changelog`.
Which process writes for which partition stands in `<worker_id>-owners` ([why](recovery.md#who-may-write)).

A topic keeps its records for a time, or is compacted: the newest record of each key is kept for ever. To look into
one: `python -m streams.local.read ringback.receipts`.
""",
    "outcomes.md": f"""\
What can become of an input record, why a postback gave no job, what becomes of a job, and why something is a dead
letter. The first stand in the decisions topic with the second, the third in the receipts, the fourth in the dead
letters. To look:

    python -m streams.local.read ringback.decisions record_id result verdicts.postback_id verdicts.reason
    python -m streams.local.read ringback.receipts kind postback_id outcome status error
    python -m streams.local.read ringback.dead-letters kind reason detail topic partition offset

[`ringback explain`](explain.md) tells all of it of one record, in words, with what was compared with what.

The metric `ringback_records_total` counts every record once, by its result or as `dead_letter`. Not all of them stand
in the decisions topic:

| `decisions_level` | what stands there |
|---|---|
| `off` | nothing |
| `nos` | `duplicate`, `too_late`, `reinstall`; `processed` with a reason other than {QUIET} |
| `all` | all of these and `held`, with every reason and every job |

`unknown_app` and records that are dead letters stand there at no level. What was `held` has a second result when it is
released. With the users topic as its source the metric knows `foreign` too: told by workers of another `worker_id`, and
skipped, for under a new id everything is told anew.
""",
    "jobs": """\
Each job ends in one receipt of `kind` `terminal`. Until then it waits; the receipt of an attempt that failed says in
`next_at` until when.
""",
    "errors": """\
What `error` says of a request that got no whole answer, often with a detail behind it. An answer has a `status`
instead. What is missing on our side (a secret without a value, a name server that does not answer, no more open files)
is no attempt: it gives no receipt, is counted in `ringback_retries_total` with the reason `ours`, and the job is tried
again after 8 to 16 s, until it is older than `max_age`. A partner whose name cannot be looked up is then left alone
for a while, as one [that is down](limits.md#more-jobs-than-the-limit).
""",
    "names": """\
What `event_name` of a record may be; an install has `install`. Every other name is a custom event. An *activity* shows
that somebody uses the app: one after more than the app's `inactivity_window` without any is a re-engagement. The other
spellings are for records only; a configuration uses the name.
""",
}

#: Outcome of a job → what it means, and the words of `error` in its terminal receipt.
JOBS = {
    "delivered": ("the partner answered one of its `success_statuses`", "none"),
    "failed": (
        "the partner refused for good, or attempts are used up; the job lies whole in the dead letters",
        "with an answer `attempts_used_up` or `no_retry_status`; without one that of the last attempt, see below; "
        "`poison`",
    ),
    "suppressed": (
        "it must not be sent: its postback is in `shadow`, its partner is gone from the configuration, the "
        "address is not public, or [an operator has purged](dead-letters.md#what-still-waits) what waited",
        "`shadow`, `partner_removed`, `blocked`, `purged`",
    ),
    "expired": (
        "it was older than its partner's `max_age` when it was its turn; the age of a replay counts from the replay",
        "`max_age`",
    ),
}

#: First word of `error` → what it says of an attempt.
ERRORS = {
    "timeout": "the answer was not there, or not whole, within the partner's `timeout`",
    "dns": "the partner's name does not resolve",
    "connect": "nobody takes the connection, or the way there is cut",
    "tls": "the partner's certificate is not valid for it, or TLS failed otherwise",
    "disconnected": "the connection dropped before the answer was whole",
    "protocol": "the answer is no HTTP, or too large in its headers",
    "error": "something else went wrong on the way; the detail is its type",
    "request": "the URL or a header cannot be sent; there is no redelivery",
    "unrenderable": "a part that is only known at sending cannot stand where it is; there is no redelivery",
}
