"""The real broker for the tests of this folder."""

from tests.support.fixtures import *  # noqa: F403
