"""The rules of the house: which room may import what, what the pure ones never touch, and how large a thing may get."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import house

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "streams")
BOUNDS = house.Bounds(file=500, function=60, nesting=4)

#: Libraries and modules that act, wait, or say something else each time.
SHELL = frozenset(
    {
        "aiohttp",
        "aiokafka",
        "asyncio",
        "confluent_kafka",
        "faust",
        "mode",
        "os",
        "random",
        "requests",
        "rocksdict",
        "secrets",
        "select",
        "signal",
        "socket",
        "subprocess",
        "threading",
        "time",
        "uuid",
    }
)

#: Rooms and modules that decide and never act: plain data in, plain data out.
PURE = frozenset(
    {
        "schemas",
        "streams.templates",
        "streams.attribution",
        "streams.postbacks",
        "streams.rendering",
        "streams.processes.patience",
        "streams.processes.restarts",
        "streams.processes.shares",
        "streams.engine.pipeline",
        "streams.engine.merge",
        "streams.engine.budgets",
        "streams.engine.copies",
        "streams.engine.remaining",
        "streams.engine.stillness",
        "streams.engine.holds",
        "streams.engine.batch",
        "streams.engine.devices",
        "streams.engine.expiry",
        "streams.engine.letters",
        "streams.engine.counts",
        "streams.engine.output",
        "streams.engine.pace",
        "streams.engine.portion",
        "streams.engine.telling",
        "streams.engine.untold",
        "streams.engine.tokens",
        "streams.engine.users",
        "streams.engine.raw",
        "streams.engine.rekey",
        "streams.sources.decode",
        "streams.sources.mapping",
        "streams.sources.quarantine",
        "streams.config.build",
        "streams.config.check",
        "streams.config.diff",
        "streams.config.topic",
        "streams.config.writing",
        "streams.explain.arithmetic",
        "streams.explain.clues",
        "streams.explain.found",
        "streams.explain.history",
        "streams.explain.jobs",
        "streams.explain.keys",
        "streams.explain.listing",
        "streams.explain.paragraphs",
        "streams.explain.scene",
        "streams.explain.sentences",
        "streams.explain.shown",
        "streams.explain.sifting",
        "streams.explain.silent",
        "streams.explain.story",
        "streams.explain.taking",
        "streams.explain.timeline",
        "streams.explain.told",
        "streams.explain.user_history",
        "streams.explain.verdicts",
        "streams.explain.words",
        "streams.delivery.breaker",
        "streams.delivery.counts",
        "streams.delivery.course",
        "streams.delivery.echoes",
        "streams.delivery.http.origins",
        "streams.delivery.http.requests",
        "streams.delivery.jobs",
        "streams.delivery.lanes",
        "streams.delivery.later",
        "streams.delivery.needs",
        "streams.delivery.offsets",
        "streams.delivery.outcome",
        "streams.delivery.receipts",
        "streams.delivery.runs",
        "streams.delivery.retry",
        "streams.delivery.schedule",
        "streams.delivery.settling",
        "streams.delivery.shares",
        "streams.delivery.signing",
        "streams.delivery.tiers",
        "streams.delivery.written",
        "streams.delivery.telling",
        "streams.pauses",
        "streams.trial",
        "streams.tail.asked",
        "streams.tail.last",
        "streams.tail.lines",
        "streams.tail.meant",
        "streams.tail.ordering",
        "streams.letters.again",
        "streams.letters.asked",
        "streams.letters.found",
        "streams.letters.groups",
        "streams.letters.pace",
        "streams.letters.portions",
        "streams.letters.shown",
        "streams.local.exchange",
        "streams.lookups.answer",
        "streams.lookups.routing",
        "streams.reports.check",
        "streams.reports.known",
        "streams.reports.lines",
        "streams.reports.mistaken",
        "streams.reports.totals",
        "streams.reports.written",
        "streams.doctor.findings",
        "streams.doctor.kept",
        "streams.doctor.placed",
        "streams.doctor.verdicts",
        "streams.replay.run",
        "streams.replay.compare",
        "streams.demo.answers",
        "streams.demo.table",
        "streams.demo.counts",
        "streams.demo.expected",
        "streams.demo.verdict",
        "streams.torture.delivery.account",
        "streams.torture.delivery.judging",
        "streams.torture.delivery.partners",
        "streams.torture.ledger",
        "streams.torture.picture",
        "streams.torture.reference",
        "streams.torture.verdict",
    }
)

#: What every process needs and any room of the shell may use.
GROUND = frozenset(
    f"streams.{name}"
    for name in ("errors", "settings", "clock", "faults", "logs", "metrics", "probes", "kafka", "interpreter")
)
CORE = frozenset({"schemas", "streams.templates", "streams.attribution", "streams.postbacks"})

#: Room or module → what of ours it may import. Imports run one way along the story of a record.
ROOMS = {
    "schemas": frozenset[str](),
    "streams.templates": frozenset({"schemas"}),
    "streams.attribution": frozenset({"schemas"}),
    "streams.postbacks": CORE - {"streams.postbacks"},
    **{name: GROUND | {"schemas"} for name in GROUND},
    "streams.topics": GROUND | {"schemas"},
    "streams.rendering": CORE | {"streams.sources.decode"},
    "streams.broker": GROUND,
    "streams.sources": GROUND | {"schemas"},
    "streams.config": GROUND | CORE | {"streams.topics"},
    "streams.engine": GROUND | CORE | {"streams.sources", "streams.topics", "streams.broker"},
    "streams.delivery": GROUND | {"schemas", "streams.templates", "streams.topics", "streams.broker"},
    "streams.replay": GROUND | CORE | {"streams.engine", "streams.topics"},
    # Where a process is put together: the one place of each room that also knows where the configuration comes from.
    "streams.delivery.app": GROUND | {"schemas", "streams.delivery", "streams.config", "streams.topics"},
    "streams.app": frozenset({"schemas", "streams"}),
    # It starts the others by their command, and knows of them how they end.
    "streams.processes": GROUND | {"streams.engine.exits"},
    # It reads what the others have counted, and names it as they do.
    "streams.reports": GROUND
    | CORE
    | {"streams.config", "streams.engine.counts", "streams.delivery.offsets", "streams.local.reading"},
    "streams.local": GROUND | {"schemas"},
    "streams.local.read": GROUND | {"streams.local", "streams.broker"},
    "streams.demo": frozenset({"schemas", "streams"}),
    # It runs everything, and puts it through its own rules once more.
    "streams.torture": frozenset({"schemas", "streams"}),
    # It looks at everything, so it may import everything but the faces.
    "streams.doctor": frozenset({"schemas", "streams"}),
    "streams.explain": GROUND
    | CORE
    | {"streams.sources", "streams.engine", "streams.delivery", "streams.config", "streams.topics"},
    # Whom a name means, and what is in force.
    "streams.pauses": GROUND | CORE | {"streams.config"},
    # What would be made of a job, and of an answer.
    "streams.trial": GROUND | CORE | {"streams.delivery.outcome", "streams.delivery.retry"},
    # It reads partitions as `ringback explain` does.
    "streams.tail": GROUND | CORE | {"streams.config", "streams.explain.scanning"},
    # It puts input through the worker's rules once more, and reads as `ringback explain` does.
    "streams.letters": GROUND
    | CORE
    | {
        "streams.topics",
        "streams.engine",
        "streams.delivery.course",
        "streams.delivery.jobs",
        "streams.explain.scanning",
        "streams.replay",
    },
    # It tells a state as `ringback state` does.
    "streams.lookups": GROUND | CORE | {"streams.engine", "streams.explain.timeline", "streams.explain.told"},
    "streams.cli": frozenset({"schemas", "streams"}),
    "streams": frozenset[str](),
}


@pytest.fixture(scope="module")
def tree() -> dict[str, house.Module]:
    found = house.modules(ROOT, PACKAGES)
    assert len(found) > 10
    return found


def test_pure_rooms_import_no_shell(tree: dict[str, house.Module]) -> None:
    assert house.impure(tree, PURE, SHELL) == []


def test_imports_stay_within_what_a_room_may_import(tree: dict[str, house.Module]) -> None:
    assert house.out_of_room(tree, ROOMS) == []


def test_nobody_imports_the_faces(tree: dict[str, house.Module]) -> None:
    faces = {"streams.cli", "streams.console"}
    callers = [module for module in tree.values() if not house.within(module.name, faces)]
    assert [module.file for module in callers if any(house.within(name, faces) for name in module.imports())] == []


def test_there_is_no_import_circle(tree: dict[str, house.Module]) -> None:
    assert house.circle(tree) == []


def test_nothing_is_too_large(tree: dict[str, house.Module]) -> None:
    assert house.out_of_shape(tree, BOUNDS) == []


def test_the_tables_name_only_what_exists(tree: dict[str, house.Module]) -> None:
    assert sorted(name for name in PURE | ROOMS.keys() if name not in tree) == []


BAD = {
    "schemas/__init__.py": "",
    "schemas/record.py": "from streams.templates import parse\n",
    "streams/__init__.py": "",
    "streams/templates/__init__.py": "import time\n",
    "streams/templates/parse.py": "def f():\n    from streams.postbacks import decide\n    return decide\n",
    "streams/postbacks/__init__.py": "",
    "streams/postbacks/decide.py": "from ..templates import parse\nfrom . import jobs\nimport os.path\n",
    "streams/postbacks/jobs.py": "def long():\n    '''Says so.'''\n" + "    x = 1\n" * 61,
    "streams/postbacks/deep.py": "def deep(x):\n"
    + "".join("    " * level + "if x:\n" for level in range(1, 6))
    + "    " * 6
    + "x = 1\n",
    "streams/stray.py": "x = 1\n" * 501,
}


@pytest.fixture
def bad(tmp_path: Path) -> dict[str, house.Module]:
    """A made-up tree that breaks every rule."""
    for file, text in BAD.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return house.modules(tmp_path, PACKAGES)


def test_each_rule_can_be_broken(bad: dict[str, house.Module]) -> None:
    assert house.impure(bad, PURE, SHELL) == [
        "streams/postbacks/decide.py: a pure module imports os",
        "streams/templates/__init__.py: a pure module imports time",
    ]
    assert house.out_of_room(bad, ROOMS) == [
        "schemas/record.py: schemas may not import streams.templates",
        "schemas/record.py: schemas may not import streams.templates.parse",
        "streams/templates/parse.py: streams.templates may not import streams.postbacks",
        "streams/templates/parse.py: streams.templates may not import streams.postbacks.decide",
    ]
    assert set(house.circle(bad)) == {"streams.templates.parse", "streams.postbacks.decide"}
    assert house.out_of_shape(bad, BOUNDS) == [
        "streams/postbacks/deep.py:1 deep: nested 5 deep",
        "streams/postbacks/jobs.py:1 long: 61 lines",
        "streams/stray.py: 501 lines",
    ]
