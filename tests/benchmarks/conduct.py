"""Runs suites one after the other: a line for each run, a table for each suite, and a JSON file with every figure."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypedDict

from tests.benchmarks import machine, stand, tables


class Run(TypedDict):
    """One measurement: which suite, of what, and the figures. Runs of the same `what` are rounds."""

    suite: str
    what: dict[str, Any]
    measured: dict[str, Any]


Runs = Iterator[Run]
Suite = Callable[[argparse.Namespace], Runs]


def conduct(suites: Mapping[str, Suite], told: Mapping[str, tables.Table], arguments: argparse.Namespace) -> int:
    """Run, and print each suite's table when it is complete. The file `arguments.json` is written anew after every run.
    A suite that breaks off does not keep the next one from running; 1 then.
    """
    document: dict[str, Any] = {
        "machine": machine.described(),
        "arguments": vars(arguments) | {"json": str(arguments.json)},
        "runs": [],
    }
    print(tables.described(document), flush=True)
    broken = False
    for name, suite in suites.items():
        runs: list[Run] = []
        try:
            for run in suite(arguments):
                runs.append(run)
                document["runs"].append(run)
                arguments.json.write_text(json.dumps(document, indent=1))
                print(line(run), flush=True)
        except (stand.Broken, subprocess.CalledProcessError) as error:
            print(f"{name} broke off: {error}", file=sys.stderr, flush=True)
            broken = True
        if name in told:
            print(f"\n{tables.markdown(told[name], runs)}", flush=True)
    return int(broken)


def line(run: Run) -> str:
    """A run for the eye."""
    what = " ".join(f"{value:,}" if isinstance(value, int) else str(value) for value in run["what"].values())
    found = ", ".join(
        f"{name} {value:,.1f}" for name, value in run["measured"].items() if isinstance(value, int | float)
    )
    return f"{run['suite']}: {what}: {found}"
