"""The exported JSON Schemas say what the types say, and the golden examples are what both accept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from schemas import export
from schemas.record import IDENTIFIERS
from streams.postbacks.jobs import job_id

EXAMPLES = Path(export.__file__).with_name("examples")
NAMES = sorted(export.SCHEMAS)


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = export.schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_exported_schemas_are_in_step_with_the_types() -> None:
    on_disk = {path.name: path.read_text() for path in export.FOLDER.iterdir()}
    assert on_disk == dict(export.texts()), "run: make schemas"


def test_every_schema_has_its_example() -> None:
    assert sorted(path.stem for path in EXAMPLES.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_valid_by_its_schema(name: str) -> None:
    validator(name).validate(example(name))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_read_and_written_again_unchanged(name: str) -> None:
    kind, _ = export.SCHEMAS[name]
    written = example(name)
    record = msgspec.json.decode(json.dumps(written), type=kind)
    assert json.loads(msgspec.json.encode(record)) == written


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_type_is_refused_by_both(name: str) -> None:
    kind, _ = export.SCHEMAS[name]
    field = next(iter(example(name)))
    wrong = example(name) | {field: ["no such thing"]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(json.dumps(wrong), type=kind)
    assert not validator(name).is_valid(wrong)


@pytest.mark.parametrize("name", ["install", "event"])
def test_an_input_record_may_have_fields_of_its_own_but_needs_an_identifier(name: str) -> None:
    written = example(name)
    assert validator(name).is_valid(written | {"a_field_of_the_users": 1})
    assert not validator(name).is_valid({field: written[field] for field in written.keys() - set(IDENTIFIERS)})


def test_the_examples_tell_one_story() -> None:
    event, job, receipt, decision = (example(name) for name in ("event", "job", "receipt", "decision"))
    assert job["record_id"] == receipt["record_id"] == decision["record_id"] == event["id"]
    assert job["job_id"] == receipt["job_id"] == decision["verdicts"][0]["job_id"]
    assert job["job_id"] == job_id(
        job["postback_id"], job["event"], job["app_id"], job["device_key"], "event", event["id"], decision["at"]
    )
