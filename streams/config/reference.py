"""The reference of the configuration, made from the table of its keys: docs/configuration.md (`make docs`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from streams.config import shapes
from streams.config.models import DEVICE_KEYS, SECTIONS, Section
from streams.config.shapes import Shape

INTRODUCTION = """\
# Configuration

Made by `make docs` from the tables in `streams/config`; not edited by hand. Derived events are listed in
[events.md](events.md), the macros of templates in [macros.md](macros.md), the fields of installs and events in their
[schemas](../schemas/json).

```yaml
apps:
  - id: com.example.game                # what the records say in app_id
    project: example
    platform: android
partners:
  - id: acme_ads                        # what they say in publisher_name or agency_name
    name: Acme Ads
    fields: {app_key: "${env:ACME_KEY}"}
    rate_limit: 50/s
postbacks:
  - id: acme-first-payment
    app: com.example.game
    partner: acme_ads
    event: first_payment
    url: https://postback.acme.example/pay?click_id={click_id}&key={partner.app_key}
    parameters:
      - {name: payout, value: "{revenue|fixed:2}", when_missing: skip_postback}
    delivery_delay: 10s
    retry_attempts: 5
```

A configuration is one YAML file or a directory of them (`*.yaml`, `*.yml`, not in folders below it); the lists of
several files are put together. [`ringback plan DIR`](plan.md) shows what applying it would change,
`ringback apply DIR` puts it in force as a whole (removing needs `--prune`), and `ringback export DIR` writes what is in
force as such files. All mistakes are reported at once, as `file:line:column path message`.

* **Durations** are a number with a unit: `250ms`, `60s`, `10m`, `24h`, `30d`.
* **Texts** that look like a number, or begin with a brace, are written in quotes: `"007"`, `"{click_id}"`.
* **Secrets** are references, `${env:NAME}` or `${file:PATH}`; they are resolved only in the process that uses them.
* **Anchors**, aliases and `<<:` may be used to say a thing once. Tags are refused, and so is a key that stands twice.
* A file has at most 4 MiB, and one document.

## What your topics must be like

Ringback keeps the state of a device where the device's records lie. So your producers must bring all of them to the
same place; `ringback feed` does, and `ringback doctor` looks at what is there.

* **Key**: `<app_id>|<device identifier>`, such as `com.example.game|ann`, in UTF-8. The identifier is the first of the
  app's [`device_key`](#apps) that the record has. `google_aid`, `windows_aid`, `ios_ifa` and `ios_ifv` are written in
  lower case, and an advertising id that is all zeros counts as none.
* **Partitioner**: that of Kafka's Java clients. In librdkafka, and what is built on it, it is
  `partitioner=murmur2_random`; the default there is another one.
* **Partitions**: the same number in all sources, from the beginning. Our own topics follow it.
* **Timestamps**: `message.timestamp.type=LogAppendTime`. The records of all sources are taken in the order of these
  times, and with `CreateTime` a producer whose clock is wrong could make a record overtake another. A record's own time
  stays what its fields say.

`ringback topics create` makes input topics that are missing in this way. A topic with other keys, or another number of
partitions, is declared [`rekey: true`](rekey.md).

A record in another partition than its device's is not applied, for it would split the state of the device. The worker
says where it lies, which partition it belongs to and what is wrong, and stops with exit status 1; nothing of the batch
is applied, and each restart comes to the same place.

To go on, declare the source [`rekey: true`](rekey.md). Or, to have it lie right:

1. Stop the producer and mend it. `ringback doctor` shows the key and the partition that it found.
2. Name a new topic instead of the old one under `sources`, then `ringback apply DIR --prune` and
   `ringback topics create`.
3. Feed the old topic's records into the new one, in the order of their times, and only then let the producer write
   there: `python -m streams.local.read events | ringback feed - --source events-2`. (It reads the topic into memory;
   for a large one use a program of your own.)
4. Start the worker.

What had been applied before is a `duplicate` or `too_late` in the new topic and changes nothing, as long as the records
have an `id` of their own. Without one the id of a record is its place, which is new now, so it is decided a second
time: leave those out that had been applied, or give them the id that they had, `<topic>-<partition>-<offset>`. What had
been applied in a wrong partition, before that was found, is decided again in the right one. And what lies further back
than the app's `dedup_window` behind the newest record of its device is `too_late`, applied or not.
"""

TITLES = {
    "sources": "The input topics. Without this section: `installs` (install) and `events` (event).",
    "apps": "The apps and the windows that their records are judged by.",
    "partners": "The partners, their names in the records, and how they want to be called.",
    "postbacks": "Which derived event becomes which request at which partner.",
}


def lines() -> Iterator[str]:
    """The whole page."""
    yield INTRODUCTION
    for name, section in SECTIONS.items():
        yield from (f"## {name}", "", TITLES[name], "", *_keys(section))
        for key, field in section.model_fields.items():
            inner = Shape.of_field(field).inner()
            if inner is not None:
                yield from (f"### {name} … {key}", "", *_keys(inner))
    yield from ("## Device keys", "", "The default of `device_key` by platform:", "")
    yield from (f"* {platform}: {', '.join(f'`{name}`' for name in names)}" for platform, names in DEVICE_KEYS.items())


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table and the blank line behind it."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', BAR) for cell in row)} |"
    yield ""


BAR = "\\|"


def _keys(section: type[Section]) -> Iterator[str]:
    rows = (
        (f"`{key}`", Shape.of_field(field).describe(), _default(section, key), field.description or "")
        for key, field in section.model_fields.items()
    )
    return table(("key", "value", "default", "meaning"), rows)


def _default(section: type[Section], key: str) -> str:
    value = shapes.default(section, key)
    if value is shapes.REQUIRED:
        return "required"
    if value is None:
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"
