"""`ringback state`: what is remembered of a device, or of a user, as a timeline."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from streams.cli import output, start
from streams.cli.asking import WorkerUrl, asking
from streams.cli.explain import AsJson, Timeout, key_of, measured, paint, progress
from streams.errors import USAGE, Stop

if TYPE_CHECKING:
    from streams.explain.keeping import Site
    from streams.explain.shown import Paint
    from streams.explain.told import DeviceStory, UserStory


def state(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="Its device key, <app_id>|<identifier>.")] = "",
    app: Annotated[str, typer.Option(help="Instead of the key: the app's id …", metavar="APP")] = "",
    identifier: Annotated[str, typer.Option("--id", help="… and the device's identifier.", metavar="ID")] = "",
    user: Annotated[str, typer.Option(help="Show a user instead: its key, <project>|<user_id>.", metavar="KEY")] = "",
    as_json: AsJson = False,
    timeout: Timeout = 30.0,
    worker: WorkerUrl = "",
) -> None:
    """Show what is remembered of a device or of a user.

    Its attributions as a timeline, its windows, what it holds.

    Asks a worker that has a look-up port; without one, reads the device's partition of the worker's changelog, where
    the newest state of every device is kept for ever.
    """
    from streams.explain import keeping, shown

    if bool(app) != bool(identifier):
        raise Stop("--app and --id belong together", exit_code=USAGE)
    if sum(map(bool, (device, app, user))) != 1:
        raise Stop("say which: DEVICE, or --app and --id, or --user", exit_code=USAGE)
    user_key = key_of(user, "--user", "<project>|<user_id>") if user else ""
    device_key = f"{app}|{identifier}" if app else key_of(device, "DEVICE", "<app_id>|<identifier>") if device else ""
    loaded = start.settings()
    admin = start.reach(loaded, timeout)
    with progress() as tell:
        site = keeping.site(loaded, admin, tell)
        site.look = look = asking(loaded, worker, timeout)
        story = _user(site, user_key) if user else _device(site, device_key)
    if as_json:
        print(_json(story))
        return
    brush = paint if sys.stdout.isatty() else shown.plain
    print("\n".join(_lines(story, brush)))
    if look is None or not look.tell():
        measured(site.scanner)


def _device(site: Site, device_key: str) -> DeviceStory:
    from streams.clock import SystemClock
    from streams.explain import keeping, shown, timeline
    from streams.explain.keys import normalised

    asked_for, kept = device_key, keeping.kept(site, device_key)
    other = normalised(device_key, site.live.apps)
    if kept.device is None and other is not None:
        instead = keeping.kept(site, other)
        if instead.device is not None:
            device_key, kept = other, instead
    number = keeping.partition_of(device_key, site.partitions)
    if kept.device is None:
        unknown = keeping.unknown_app(site, device_key.partition("|")[0])
        raise _none("device", device_key, site, number, kept.positions is None, unknown)
    apps = {one.id: one for one in site.live.apps}
    events = (one.match_event or one.event for one in site.live.postbacks)
    for line in shown.wrong_key(asked_for, device_key):
        output.say(line)
    return timeline.device_story(
        device_key,
        number,
        kept.device,
        kept.size,
        apps.get(device_key.partition("|")[0]),
        timeline.custom_names(events),
        SystemClock().now(),
    )


def _user(site: Site, user_key: str) -> UserStory:
    from streams.attribution import users
    from streams.explain import keeping, timeline

    row, number = keeping.user_state(site, user_key)
    if row is None:
        unknown = keeping.unknown_project(site, user_key.partition("|")[0])
        raise _none("user", user_key, site, number, not site.has_state("user"), unknown)
    return timeline.user_story(user_key, number, users.decode(row), len(row))


def _none(what: str, key: str, site: Site, number: int, nothing: bool, unknown: str | None) -> Stop:
    worker = site.settings.worker_id
    if unknown is not None:
        return Stop(f"no {what} {key} is known: {unknown}", "`ringback apply` adds apps; look at RINGBACK_TOPIC_PREFIX")
    if nothing:
        return Stop(
            f"there is no state: no worker of the group {worker} has decided anything in partition {number} yet",
            "look at RINGBACK_WORKER_ID, and start `ringback worker`",
        )
    forms = {
        "device": "the key is <app_id>|<identifier>, the first one in the app's `device_key` order; advertising ids "
        "are lower-cased",
        "user": "the key is <project>|<user_id>; a user is known once a worker has read a record with that `user_id`",
    }
    return Stop(
        f"no {what} {key} is known to the workers of the group {worker} (partition {number} of its changelog)",
        f"{forms[what]}\nlook at RINGBACK_WORKER_ID; `ringback explain` says whether a record has been read",
    )


def _lines(story: DeviceStory | UserStory, brush: Paint) -> list[str]:
    from streams.explain import shown
    from streams.explain.told import DeviceStory

    if isinstance(story, DeviceStory):
        return list(shown.device_lines(story, brush))
    return list(shown.user_lines(story, brush))


def _json(story: DeviceStory | UserStory) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(story)).decode()
