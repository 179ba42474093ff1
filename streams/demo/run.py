"""The demo from its first moment to its last: whatever happens on the way, all that it started has ended then."""

from __future__ import annotations

import threading
import time
from importlib import import_module

from streams import logs
from streams.demo import looking, progress
from streams.demo.interrupts import Interrupted, Interrupts
from streams.demo.options import Options
from streams.demo.progress import Display
from streams.demo.stage import PortTaken, Stage
from streams.errors import RUNTIME
from streams.local import jars

KEPT_LOOK_SECONDS = 0.2
#: Somebody else may be faster at taking the port that was found free.
TRIES = 3


def run(options: Options, interrupts: Interrupts) -> int:
    """The whole demo; its exit status. Raises `Stop` and `Interrupted`; nothing is left behind then either."""
    screen = progress.display()
    screen.say(
        f"Ringback demo: {options.seconds} s of traffic, {options.rate} records a second; "
        f"--seed {options.seed} makes the same traffic again"
    )
    for _ in range(TRIES - 1):
        try:
            return _on_stage(options, interrupts, screen)
        except PortTaken:
            screen.say("somebody else was faster at taking the broker's port; beginning anew with another one")
    return _on_stage(options, interrupts, screen)


def _on_stage(options: Options, interrupts: Interrupts, screen: Display) -> int:
    stage = None
    try:
        try:
            with interrupts.held():
                stage = Stage(interrupts)
            return _play(options, stage, screen)
        except Interrupted:
            screen.say("stopping …")
            raise
        finally:
            _close(stage, interrupts, screen)
    finally:
        # Once more, for the signal that comes when all is done and the closing has not quite begun.
        _close(stage, interrupts, screen)


def _close(stage: Stage | None, interrupts: Interrupts, screen: Display) -> None:
    """End everything; nothing happens when it has ended."""
    with interrupts.closing():
        try:
            screen.close()
        finally:
            if stage:
                stage.end()


def _play(options: Options, stage: Stage, screen: Display) -> int:
    """From the first process to the verdict, and for as long as the user wants to look around."""
    stage.set_up()
    # What our own libraries log is for the file; the screen says what matters.
    logs.setup("info", "text", "demo", (stage.logs / "demo.log").open("a"))
    _open(stage, screen)
    from streams.demo.play import Demo

    demo = Demo(options, stage, screen)
    demo.configure()
    demo.drain(demo.play())
    status = 0 if demo.judge() else RUNTIME
    if options.keep:
        screen.say(looking.around(stage, demo.configuration))
        _keep(stage)
        screen.say("stopping …")
    return status


def _open(stage: Stage, screen: Display) -> None:
    """Start the broker, and beside it everything that can wait for it. Blocks for seconds; raises `Stop`."""
    if missing := jars.missing():
        screen.say(f"fetching Kafka {jars.KAFKA_VERSION}: {missing} files, once")
        stage.fetch_jars()
    screen.say(f"starting Kafka {jars.KAFKA_VERSION}, a worker, a sender and a partner")
    stage.start("partner", "streams.demo.partner", "--log", str(stage.received))
    stage.start("worker", "streams.cli.main", "worker")
    stage.start("sender", "streams.cli.main", "sender")
    # The rest of the demo takes a second to import, while there is nothing to do but to wait for the broker.
    threading.Thread(target=import_module, args=["streams.demo.play"], daemon=True).start()
    stage.start_broker()


def _keep(stage: Stage) -> None:
    """Returns when somebody asks for the end; raises `Stop` when a process ends by itself."""
    try:
        while True:
            stage.check()
            time.sleep(KEPT_LOOK_SECONDS)
    except Interrupted:
        return
