"""A receipt as a line for people. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas import times
from schemas.config import DAY, HOUR, MINUTE, SECOND
from schemas.receipt import Receipt

#: Writes a text in the colour of an outcome.
Brush = Callable[[str, str], str]

#: A name that is longer moves what stands behind it in its own line only.
WIDEST = 40
#: An error is cut here; `--format json` has it whole.
LONGEST_ERROR = 200

_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))


class Cells(NamedTuple):
    """The columns."""

    at: str
    what: str
    outcome: str
    partner: str
    postback: str
    event: str
    status: str
    took: str
    more: str


HEADER = Cells("time", "what", "outcome", "partner", "postback", "event", "status", "took", "error, next attempt")
_OUTCOME = Cells._fields.index("outcome")
_RIGHT = {Cells._fields.index("status"), Cells._fields.index("took")}


def cells(receipt: Receipt, ids: bool = False) -> Cells:
    """What stands in the columns. `ids`: with the ids of the record and the job at the end."""
    more = [(receipt.error or "")[:LONGEST_ERROR]]
    if receipt.next_at is not None:
        more.append(f"again in {_about(receipt.next_at - receipt.at)}")
    if receipt.replay:
        more.append("replay")
    if ids:
        more.append(f"record {receipt.record_id}, job {receipt.job_id}")
    return Cells(
        at=_moment(receipt.at),
        what=f"attempt {receipt.attempt}" if receipt.kind == "attempt" else "end",
        outcome=receipt.outcome,
        partner=receipt.partner,
        postback=receipt.postback_id,
        event=receipt.event,
        status="-" if receipt.status is None else str(receipt.status),
        took="" if receipt.duration_ms is None else f"{receipt.duration_ms:,.0f} ms",
        more="; ".join(filter(None, more)),
    )


def _moment(at: int) -> str:
    """Always as wide."""
    return f"{times.text(at - at % SECOND)[:-1]}.{at % SECOND:03}Z"


def _about(milliseconds: int) -> str:
    """In its largest unit, rounded."""
    size, unit = next(((size, unit) for size, unit in _UNITS if milliseconds >= size), (SECOND, "s"))
    return f"{round(milliseconds / size)} {unit}"


class Columns:
    """Keeps lines aligned that come one after the other: a column grows with what it has shown."""

    def __init__(self, brush: Brush) -> None:
        self._brush = brush
        self._widths = [len(name) for name in HEADER]
        for number, least in {"at": 24, "what": 10, "outcome": 10, "took": 8}.items():
            self._widths[Cells._fields.index(number)] = least

    def line(self, row: Sequence[str], outcome: str = "") -> str:
        """One line. `outcome`: what its colour is chosen by; empty: none."""
        written = []
        for number, cell in enumerate(row[:-1]):
            self._widths[number] = max(self._widths[number], min(WIDEST, len(cell)))
            width = self._widths[number]
            padded = cell.rjust(width) if number in _RIGHT else cell.ljust(width)
            written.append(self._brush(padded, outcome) if number == _OUTCOME and outcome else padded)
        return "  ".join([*written, row[-1]]).rstrip()
