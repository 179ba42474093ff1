"""The report as text: columns for people, CSV and JSON for programs. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from schemas.decision import NOES
from streams.reports.lines import DIMENSIONS, Asked, Line

#: Columns of jobs, in the order of a job's life.
JOBS = ("decided", "delivered", "waiting", "failed", "suppressed", "expired")
NOTHING = "-"


def columns(lines: Sequence[Line], asked: Asked) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table. Where several derived events would be added up, payments stand for them: the
    marketer's transactions, and transactions CA.
    """
    one_event = "event" in asked.by or "postback" in asked.by or asked.event is not None
    claims = one_event and any(line.claimed for line in lines)
    header = [name.upper() for name in _dimensions(asked)]
    header += ["EVENTS", *(["CLAIMED"] if claims else [])] if one_event else ["TRANSACTIONS", "TRANSACTIONS CA"]
    header += [*(name.upper() for name in JOBS), "REFUSED"]
    rows = []
    for line in lines:
        told = [line.events, *([line.claimed] if claims else [])]
        events = told if one_event else [line.transactions, line.transactions_ca]
        counts = [_jobs(line)[name] for name in JOBS]
        noes = ", ".join(f"{count} {reason}" for reason, count in line.noes.items())
        values = [NOTHING if value is None else str(value) for value in (*events, *counts)]
        rows.append([*(value or NOTHING for value in line.at), *values, noes])
    return header, rows


def as_csv(lines: Sequence[Line], asked: Asked) -> str:
    """One record a line, always with the same columns: each no has its own."""
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\n")
    noes = tuple(NOES)
    counted = ("events", "claimed", "transactions", "transactions_ca", *JOBS)
    writer.writerow([*_dimensions(asked), *counted, *(f"no_{reason}" for reason in noes)])
    for line in lines:
        told_of = _object(line, asked)
        writer.writerow([*line.at, *(told_of[name] for name in counted), *(line.counts[reason] for reason in noes)])
    return told.getvalue()


def as_json(lines: Sequence[Line], asked: Asked) -> str:
    """A list of objects."""
    return json.dumps([_object(line, asked) for line in lines], indent=2, ensure_ascii=False)


def _object(line: Line, asked: Asked) -> dict[str, Any]:
    at: dict[str, Any] = dict(zip(_dimensions(asked), (value or None for value in line.at), strict=True))
    events: dict[str, Any] = {
        "events": line.events,
        "claimed": line.claimed,
        "transactions": line.transactions,
        "transactions_ca": line.transactions_ca,
    }
    return at | events | _jobs(line) | {"noes": line.noes}


def _jobs(line: Line) -> dict[str, int]:
    return {"decided": line.decided, "waiting": line.waiting, **line.outcomes}


def _dimensions(asked: Asked) -> list[str]:
    return [name for name in DIMENSIONS if name in asked.by]
