"""The report topic (contract §2): daily counts, compacted. Each record is the whole count of its row so far. Beside
them lie marks of workers that have counted more than they have told.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Literal, Self

import msgspec

#: What the rows of kind `postback` count of jobs, beside the keys of `schemas.decision.NOES`.
DECIDED = "decided"
#: How a job can end: what the rows of kind `ended` count.
OUTCOMES = ("delivered", "failed", "suppressed", "expired")

#: A derived event that gave a source to an install or re-install which had none: it was counted before, as organic.
CLAIMED = "claimed:"
#: A derived event of user scope, where there is one of device scope with the same name.
OF_USER = "@user"
#: In the place of a custom event's name: all those that no postback fires on.
ANY = "*"


class ReportRow(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One row of one partition: the rows of all partitions, stages and writers add up.

    `kind` says what is counted: `events`, the derived events by the source that they go by (`counts` by derived event;
    `CLAIMED` before those that only gave it a source); `postback`, what was decided for a postback (`decided`, and
    each key of `schemas.decision.NOES`); `ended`, how its jobs ended (by outcome). `day` is the UTC day of the input
    record's own time, as `2026-01-02`. The campaign is that of the attribution, in rows of every kind. `writer` is the
    workers' id, or the sender's run, that counts in this row, and nobody else ever does. What is not said of a row is
    None, or 0 for the generation.

    Names of sources and campaigns have at most `LONGEST_TEXT` characters: see `cut`. Custom events that no postback of
    the app fires on, in any form, are counted together under the name `ANY`.
    """

    kind: Literal["events", "postback", "ended"]
    stage: Literal["device", "user", "sender"]
    day: str
    app_id: str
    counts: dict[str, int]
    generation: int = 0
    publisher_name: str | None = None
    agency_name: str | None = None
    campaign_id: str | None = None
    campaign_name: str | None = None
    partner: str | None = None
    postback_id: str | None = None
    event: str | None = None
    writer: str | None = None

    def key(self) -> bytes:
        """The record's Kafka key: everything but the counts."""
        return _encode(
            (
                self.kind,
                self.stage,
                self.day,
                self.app_id,
                self.generation,
                self.publisher_name,
                self.agency_name,
                self.campaign_id,
                self.campaign_name,
                self.partner,
                self.postback_id,
                self.event,
                self.writer,
            )
        )

    @classmethod
    def of(cls, key: bytes, counts: dict[str, int]) -> Self:
        """The row of this key, with these counts."""
        return cls(**dict(zip(_KEY_FIELDS, _key(key), strict=True)), counts=counts)


#: What the key of a mark begins with, and that of no row.
UNTOLD = b'["untold",'


class UntoldMark(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, tag_field="kind", tag="untold"):
    """A worker has counted in this partition of a stage, and may not have told all rows of it yet; its key is the JSON
    list of `untold`, `stage` and `writer`.

    It is deleted (a null value), or written anew, in the transaction that tells everything counted until then. `since`:
    milliseconds; what was counted before has been told.
    """

    stage: Literal["device", "user"]
    since: int
    writer: str | None = None

    def key(self) -> bytes:
        """The record's Kafka key."""
        return _encode(("untold", self.stage, self.writer))


#: Longer names of sources are cut in rows, so that a row always fits into its topic.
LONGEST_TEXT = 256

_HASH_BYTES = 8


def cut(text: str) -> str:
    """The text as rows have it. Of a long one: the beginning, and a hash of the whole, so that two do not merge."""
    if len(text) <= LONGEST_TEXT:
        return text
    mark = "…" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).hexdigest()
    return text[: LONGEST_TEXT - len(mark)] + mark


#: The last day that has a name, 9999-12-31, in days since 1970.
LAST_DAY = 2_932_896


@lru_cache(4096)
def day_named(day: int) -> str:
    """The UTC day so many days after 1970-01-01, as `2026-01-02`; 0 to `LAST_DAY`."""
    return (_EPOCH + timedelta(days=day)).isoformat()


_EPOCH = date(1970, 1, 1)
_encode = msgspec.json.Encoder().encode
_KEY_FIELDS = tuple(name for name in ReportRow.__struct_fields__ if name != "counts")
_key = msgspec.json.Decoder(tuple).decode
