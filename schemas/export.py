"""Writes the JSON Schemas of everything that crosses a topic: `python -m schemas.export [FOLDER]` (default:
`schemas/json`).
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from schemas import config, control, dead_letter, decision, job, presence, receipt, record, report, user

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = Path(__file__).with_name("json")

#: Name of the schema (and of its golden example) → the type, and what a reader of the topic should know of it.
SCHEMAS: dict[str, tuple[type[msgspec.Struct], str]] = {
    "install": (record.Install, "A record of an install source."),
    "event": (record.Event, "A record of an event source."),
    "job": (job.Job, "A record of the delivery topic and its delay topics."),
    "receipt": (receipt.Receipt, "A record of the receipts topic."),
    "dead-letter": (dead_letter.DeadLetter, "A record of the dead-letters topic with another `kind` than `note`."),
    "dead-letter-note": (dead_letter.Note, "A record of the dead-letters topic with the `kind` `note`."),
    "decision": (decision.Decision, "A record of the decisions topic."),
    "user": (user.UserRecord, "A record of the users topic with a key `<project>|<user_id>`."),
    "report": (report.ReportRow, "A record of the report topic; its key is the JSON list of every field but `counts`."),
    "report-untold": (
        report.UntoldMark,
        "A record of the report topic that counts nothing: whoever reads the rows leaves it out.",
    ),
    "config-app": (config.App, "A record of the config topic with a key `<generation>/app/<id>`."),
    "config-partner": (config.Partner, "A record of the config topic with a key `<generation>/partner/<id>`."),
    "config-postback": (config.Postback, "A record of the config topic with a key `<generation>/postback/<id>`."),
    "config-source": (config.Source, "A record of the config topic with a key `<generation>/source/<topic>`."),
    "config-generation": (config.Generation, "A record of the config topic with a key `generation/<number>`."),
    "presence": (presence.Presence, "A record of the senders topic."),
    "control": (
        control.Control,
        "A record of the control topic with a key `partner/<id>` or `postback/<id>`, a hold's with `hold/` before it, "
        "or `purge-partner/<id>` or `purge-postback/<id>`.",
    ),
}


def schema_of(name: str) -> dict[str, Any]:
    """The JSON Schema of one row."""
    kind, about = SCHEMAS[name]
    (reference,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    root: dict[str, Any] = parts.pop(kind.__name__)
    assert reference == {"$ref": f"#/$defs/{kind.__name__}"}
    if issubclass(kind, record.Record):
        # What users write is wider than the type: unknown fields are kept as `params`, and one identifier is needed.
        root |= {"additionalProperties": True, "anyOf": [{"required": [field]} for field in record.IDENTIFIERS]}
    for part in (root, *parts.values()):
        part["description"] = inspect.cleandoc(part["description"])
    named = {"$schema": DRAFT, "$id": f"urn:ringback:{name}", "$comment": about}
    return named | root | ({"$defs": parts} if parts else {})


def texts() -> Iterator[tuple[str, str]]:
    """File name and text of every schema."""
    for name in SCHEMAS:
        yield f"{name}.schema.json", json.dumps(schema_of(name), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts():
        (folder / file).write_text(text)
        print(folder / file)


if __name__ == "__main__":
    main()
