"""`ringback doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from streams.errors import RUNTIME, Stop

if TYPE_CHECKING:
    from streams.doctor.checks import Looked

#: From this width on, what was found stands beside the name; below, under it.
WIDE = 60
VERDICT_WIDTH, NAME_WIDTH = 7, 13
COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "wrong": typer.colors.RED}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One object, for programs.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each answer of Kafka.", min=0.1)] = 5.0,
) -> None:
    """Look whether all that Ringback needs is right.

    Says what to do about what is wrong, and mends nothing. It leaves behind one aborted record in a delay topic, which
    no process of Ringback reads: the broker's clock shows in it. The exit status is 1 when anything is wrong; a warning
    leaves it 0.
    """
    import logging

    try:
        from streams.doctor.checks import examine
        from streams.doctor.site import Site
    except ImportError as error:
        raise Stop(
            f"a package that Ringback needs cannot be imported: {error}",
            "install Ringback anew, in an environment of its own",
        ) from error
    # The checks say what is wrong, once; the clients would say it ten times a second.
    logging.disable(logging.CRITICAL)
    looked: list[Looked] = []
    width = _width()
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for one in examine(Site(timeout)):
        looked.append(one)
        if not as_json:
            print("\n".join(lines(one, width, coloured)), flush=True)
    print(_json(looked) if as_json else f"\n{summary(looked)}")
    if any(one.verdict == "wrong" for one in looked):
        raise typer.Exit(RUNTIME)


def _width() -> int | None:
    """Columns of the terminal; None without one, where a line is as long as it is."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def lines(looked: Looked, width: int | None, coloured: bool = False) -> Iterator[str]:
    """A check as it is shown: its verdict and name, then each thing found, then what to do about it."""
    beside = width is None or width >= WIDE
    indent = " " * (VERDICT_WIDTH + NAME_WIDTH + 4 if beside else 2)
    name = looked.check.name
    if not beside:
        yield f"{_verdict(looked.verdict, coloured)}  {name}"
    for finding in looked.findings:
        head = f"{_verdict(finding.verdict, coloured)}  {name:<{NAME_WIDTH}}  " if beside else indent
        for number, line in enumerate(_wrapped(finding.found, width, len(indent))):
            yield (indent if number else head) + line
        if finding.remedy:
            for number, line in enumerate(_wrapped(finding.remedy, width, len(indent) + 2)):
                yield f"{indent}{'  ' if number else '→ '}{line}"
        name = ""


def _verdict(verdict: str, coloured: bool) -> str:
    text = f"{verdict:<{VERDICT_WIDTH}}"
    return typer.style(text, fg=COLOURS[verdict], bold=verdict == "wrong") if coloured else text


def _wrapped(text: str, width: int | None, indent: int) -> list[str]:
    """The text in lines; a word that is too long for one stays whole, so that it can be copied."""
    # Names and values come from topics and files: none may move the cursor.
    clean = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    if width is None:
        return [clean]
    return textwrap.wrap(clean, max(20, width - indent), break_long_words=False, break_on_hyphens=False)


def _json(looked: Sequence[Looked]) -> str:
    import msgspec

    report = {
        "ok": all(one.verdict != "wrong" for one in looked),
        "checks": [
            {
                "name": one.check.name,
                "looks_at": one.check.looks_at,
                "verdict": one.verdict,
                "findings": [finding._asdict() for finding in one.findings],
            }
            for one in looked
        ],
    }
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def summary(looked: Sequence[Looked]) -> str:
    """The last line: how many checks there were, and how they went."""
    counts = {verdict: sum(one.verdict == verdict for one in looked) for verdict in COLOURS}
    return f"{len(looked)} checks: {', '.join(f'{count} {verdict}' for verdict, count in counts.items() if count)}"
