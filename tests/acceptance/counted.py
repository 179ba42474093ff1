"""The derived events of the shop's log, counted by another tool: DuckDB, by the definitions in `counts.sql`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb

SQL = Path(__file__).with_name("counts.sql")

#: (day, derived event, partner).
Counted = tuple[str, str, str]


def counted(installs: Path, events: Path) -> Counter[Counted]:
    """How often each derived event fired for whom, day by day."""
    with duckdb.connect() as connection:
        files = {"installs": str(installs), "events": str(events)}
        rows = connection.execute(SQL.read_text(), files).fetchall()
    return Counter({(day, event, partner): count for day, event, partner, count in rows})
