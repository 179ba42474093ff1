"""The protections against each fault: those of the stream side (S) and then those of delivery (D), in their order."""

from __future__ import annotations

from tests.mutations.crashes import MUTATIONS as CRASHES
from tests.mutations.delivery import MUTATIONS as DELIVERY
from tests.mutations.inputs import MUTATIONS as INPUTS
from tests.mutations.letters import MUTATIONS as LETTERS
from tests.mutations.mutation import Mutation
from tests.mutations.rules import MUTATIONS as RULES
from tests.mutations.shares import MUTATIONS as SHARES
from tests.mutations.wire import MUTATIONS as WIRE


def _place(one: Mutation) -> tuple[int, int]:
    return "SD".index(one.row[0]), int(one.row[1:])


MUTATIONS: tuple[Mutation, ...] = tuple(
    sorted((*CRASHES, *INPUTS, *RULES, *SHARES, *DELIVERY, *WIRE, *LETTERS), key=_place)
)
