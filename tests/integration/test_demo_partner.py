"""The demo's partner as a process."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

import aiohttp

from streams.demo.answers import answer
from streams.local.guarded import GuardedProcess
from tests.support.waiting import eventually_async

ROOT = Path(__file__).parents[2]


def job_with(status: int, path: str) -> str:
    """A job whose first attempt is answered like this."""
    return next(f"job-{number}" for number in count() if answer(f"job-{number}", 1, path).status == status)


async def test_answers_by_the_job_and_the_number_of_its_attempt(tmp_path: Path) -> None:
    log = tmp_path / "requests"
    command = [sys.executable, "-m", "streams.demo.partner", "--port", "0", "--log", str(log)]
    partner = GuardedProcess(["env", f"PYTHONPATH={ROOT}", *command], tmp_path / "out")
    asked: list[tuple[str, str, list[tuple[int | str, int]]]] = [
        ("globex/x", job_with(500, "/globex/x"), [(1, 500), (2, 200)]),
        ("globex/x", job_with(429, "/globex/x"), [(1, 429), (2, 200)]),
        ("initech/x", job_with(404, "/initech/x"), [(1, 404), (2, 404)]),
        ("globex/x", job_with(404, "/initech/x"), [(1, 200)]),
        # A request that is repeated, at whatever time, is answered as before.
        ("globex/x", job_with(500, "/globex/x"), [(1, 500), (1, 500), (2, 200), (1, 500)]),
        ("globex/x", job_with(500, "/globex/x"), [("", 200)]),
        ("globex/x", "", [(1, 400)]),
    ]
    try:
        url = await eventually_async(lambda: partner.output().strip())
        async with aiohttp.ClientSession() as client:
            for path, job, statuses in asked:
                for attempt, status in statuses:
                    headers = {"Idempotency-Key": job} if job else {}
                    async with client.post(f"{url}{path}?attempt={attempt}", headers=headers) as given:
                        assert (given.status, path, attempt) == (status, path, attempt)
                        assert given.headers.get("Retry-After") == ("1" if status == 429 else None)
        assert partner.end(10) == 0
        assert "13 requests" in partner.output()
        lines = log.read_text().splitlines()
        assert len(lines) == sum(len(statuses) for _, _, statuses in asked)
        assert lines[0] == f"{asked[0][1]}\t/globex/x?attempt=1"
    finally:
        partner.kill()
