"""Pauses and holds of partners and postbacks, as they cross the control topic (contract §2): compacted, the last one
wins.
"""

from __future__ import annotations

import msgspec


class Control(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """What holds a partner or a postback. A tombstone, like one with only defaults, lets it go.

    `paused` is an operator's, or follows a 410, and lasts until it is taken back; `hold_until` (milliseconds) ends by
    itself; `reason` is for people.
    """

    paused: bool = False
    hold_until: int | None = None
    reason: str = ""
