"""What the runbooks of the alerts say to type does what they say."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from streams.local.exchange import OK, Answer
from streams.local.partner import Partner
from streams.settings import Settings, environment
from tests.support import monitoring
from tests.support.processes import ROOT
from tests.support.sending import Bench, configuration, job_for, partner_named, sending
from tests.support.waiting import eventually_async


def commands(alert: str, partner: str) -> list[str]:
    """The commands in an alert's runbook that say whom they are for, as Prometheus fills it in."""
    (rule,) = [rule for rule in monitoring.alerts() if rule["alert"] == alert]
    runbook = rule["annotations"]["runbook"].replace("{{ $labels.partner }}", partner)
    return re.findall(rf"`(ringback [^`]*{partner})`", runbook)


async def test_a_pause_after_a_410_is_taken_back(settings: Settings, tmp_path: Path) -> None:
    bench = Bench(settings)
    bench.create()
    bench.configure(configuration([partner_named()]))
    paused = {"partner": "acme", "reason": "pause"}
    (command,) = commands("RingbackPartnerPaused", "acme")
    async with Partner() as partner, sending(settings) as running:
        partner.answer("/i", Answer(status=410), OK)
        bench.decide([job_for(partner.url("/i"), 1)])
        await eventually_async(lambda: running.counted("partner_held", **paused) == 1, what="the pause is told")
        bench.decide([job_for(partner.url("/i"), 2)])
        await eventually_async(lambda: running.counted("retries_total", partner="acme", reason="paused") >= 1)

        ours = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        given = os.environ | environment(settings) | {"PYTHONPATH": str(ROOT), "PATH": ours}
        ran = await asyncio.to_thread(
            subprocess.run, ["bash", "-c", command], cwd=tmp_path, env=given, capture_output=True, timeout=30
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.startswith(b"the partner acme is resumed")
        await eventually_async(lambda: running.counted("partner_held", **paused) == 0, what="the pause is over")
        await eventually_async(lambda: partner.count >= 2, what="what waited is sent")
