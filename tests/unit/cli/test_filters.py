"""The filter of dead letters is the same wherever letters are meant."""

from __future__ import annotations

import pytest
import typer
from typer.main import get_command

from streams.cli import dlq
from streams.cli.filters import filtered
from streams.letters.asked import Asked
from streams.letters.found import Address

FILTER = ["--kind", "--reason", "--partner", "--postback", "--app", "--event", "--status", "--since", "--from", "--to"]


def options(name: str) -> list[str]:
    group = get_command(dlq.app)
    return [one.opts[0] for one in group.commands[name].params]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["ls", "replay", "purge"])
def test_each_command_has_all_of_it(name: str) -> None:
    found = options(name)
    assert [one for one in found if one in FILTER] == FILTER
    assert ("names" in found) == (name != "ls")


def test_a_command_is_given_what_its_options_mean_beside_its_own() -> None:
    seen: list[tuple[Asked, bool]] = []

    def command(asked: Asked, loud: bool = False) -> None:
        seen.append((asked, loud))

    app = typer.Typer()
    app.command()(filtered(command))
    app(["3:4", "job-1", "--partner", "acme", "--status", "404,5xx", "--loud"], standalone_mode=False)
    ((asked, loud),) = seen
    assert loud
    assert asked.partner == "acme"
    assert asked.statuses == ((404, 404), (500, 599))
    assert (set(asked.addresses), set(asked.job_ids)) == ({Address(3, 4)}, {"job-1"})
