"""A sender as a process of its own, for tests that kill it. RINGBACK_TEST_QUICK makes its time run faster."""

from __future__ import annotations

import os
import sys

from streams import logs, settings
from streams.delivery.app import run_sender
from tests.support.sending import QUICK

if __name__ == "__main__":
    given = settings.load()
    logs.setup(given.log_level, given.log_format)
    sys.exit(run_sender(given, QUICK if os.environ.get("RINGBACK_TEST_QUICK") else None))
