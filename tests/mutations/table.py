"""The protections against each fault on the stream side, in the order of the faults."""

from __future__ import annotations

from tests.mutations.crashes import MUTATIONS as CRASHES
from tests.mutations.inputs import MUTATIONS as INPUTS
from tests.mutations.mutation import Mutation
from tests.mutations.rules import MUTATIONS as RULES

MUTATIONS: tuple[Mutation, ...] = tuple(sorted((*CRASHES, *INPUTS, *RULES), key=lambda one: int(one.row[1:])))
