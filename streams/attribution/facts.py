"""What the fold says: what became of each record, and which derived events it gave."""

from __future__ import annotations

from typing import Literal

import msgspec

from .entry import Entry
from .state import Attribution, Device

Result = Literal["processed", "held", "duplicate", "too_late", "reinstall"]


class Derived(msgspec.Struct, frozen=True, gc=False):
    """A derived event that fired, and the attribution that it goes by.

    `claim` means that it fired before, without this source: it is for postbacks at `network` and
    `network_and_agency`, those at `all` have had theirs.
    """

    event: str
    attribution: Attribution
    claim: bool = False


class Session(msgspec.Struct, frozen=True, gc=False):
    """An attribution that had begun by the time of a launch, and whether the launch is a session counted from it."""

    attribution: Attribution
    due: bool


class Fact(msgspec.Struct, frozen=True, gc=False):
    """What became of one record: a key of `schemas.decision.RESULTS`, and its derived events in the order of the table.

    `late` means that it was processed, or found to be a reinstall, after one with a later time. `installed_at` is the
    own time of the device's install as far as known after this record. A held record has a fact when it is held and
    another when it is processed. `first` is the device's first attribution and `period` the one in which the record
    lies, both as they are after a record that was processed or is a reinstall. `sessions` of a launch are the
    attributions from which sessions may be counted, the latest start first. `appears`: the record is the first of its
    device, or of its user: nothing has been before it.
    """

    entry: Entry
    result: Result
    late: bool = False
    derived: tuple[Derived, ...] = ()
    installed_at: int | None = None
    first: Attribution | None = None
    period: Attribution | None = None
    sessions: tuple[Session, ...] = ()
    appears: bool = False


class Step(msgspec.Struct, frozen=True, gc=False):
    """The device after a record or a release, and the facts in the order in which they came about.

    `release_at` is the append time that every install source must have been read past before `release` is due (None:
    nothing is held).
    """

    device: Device
    facts: list[Fact]
    release_at: int | None
