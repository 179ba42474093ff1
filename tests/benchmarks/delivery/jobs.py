"""The jobs of the benchmarks: requests as a worker renders them, and the partners that they go to. Pure.

A job's number stands in its path, where the target finds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from schemas.config import DAY, App, Configuration, Endpoint, Partner, Postback
from schemas.job import Job, Request
from tests.benchmarks.delivery.behaviour import address
from tests.benchmarks.workload import APP

#: Jobs with numbers from here on open the way, and are not counted.
WARM = 3_000_000_000
Method = Literal["GET", "POST"]


@dataclass(frozen=True)
class Jobs:
    """Jobs to a target that listens on `port`; they take the lanes in turn."""

    port: int
    lanes: int
    method: Method = "GET"
    retry_attempts: int = 3

    def lane(self, number: int) -> int:
        """Of a job."""
        return number % self.lanes

    def url(self, number: int, lane: int) -> str:
        """Some 200 bytes, as a partner's template gives them."""
        device = hashlib.sha256(b"%d" % number).hexdigest()
        return (
            f"http://{address(lane)}:{self.port}/{lane}/{number}?click_id=clk-{number:010}&aid={device}"
            f"&rev={number % 5000 / 100:.2f}&cur=USD&t={1_767_225_600 + number}&tx=p-{number}"
            "&campaign=spring%20sale%202026&country=US"
        )

    def body(self, number: int) -> str | None:
        """Of a POST: JSON, some 200 bytes."""
        if self.method == "GET":
            return None
        told = {"event": "payment", "transaction": f"p-{number}", "revenue": number % 5000 / 100, "currency": "USD"}
        told |= {"user": f"u{number % 20_000}", "device_model": "Pixel 9", "os_version": "16", "app_version": "5.2.1"}
        return msgspec.json.encode(told | {"country": "US", "language": "en", "validated": True}).decode()

    def request(self, number: int, lane: int) -> Request:
        """What is sent."""
        body = self.body(number)
        if body is None:
            return Request("GET", (self.url(number, lane),))
        return Request("POST", (self.url(number, lane),), (("Content-Type", ("application/json",)),), (body,))

    def job(self, number: int, decided_at: int, due_at: int, lane: int | None = None) -> Job:
        """The job of this number. Times in ms."""
        lane = self.lane(number) if lane is None else lane
        return Job(
            job_id=f"{number:032x}",
            postback_id=f"payment-{lane}",
            partner=f"partner-{lane}",
            app_id=APP,
            event="payment",
            record_id=f"p-{number}",
            device_key=f"{APP}|{number % 20_000:08x}-0000-4000-8000-000000000000",
            generation=1,
            decided_at=decided_at,
            due_at=due_at,
            max_age=DAY,
            retry_attempts=self.retry_attempts,
            request=self.request(number, lane),
            day=decided_at // DAY,
        )


encode = msgspec.json.Encoder().encode


def place(order: int, lanes: int, partitions: int) -> int:
    """The partition of the job written as number `order`, the lanes taking turns: each lane has jobs in each."""
    return (order // lanes + order % lanes) % partitions


def partners(lanes: int, special: dict[int, dict[str, Any]] | None = None, **common: Any) -> list[Partner]:
    """A partner for each lane, with what is `common`, and what is `special` of some."""
    return [
        Partner(id=f"partner-{lane}", name=f"Partner {lane}", **(common | (special or {}).get(lane, {})))
        for lane in range(lanes)
    ]


def configuration(wanted: Iterable[Partner]) -> Configuration:
    """A generation with these partners, each with its postback."""
    found = tuple(wanted)
    app = App(id=APP, project="bench", platform="android", bundle_id=APP, device_key=("google_aid",))
    postbacks = tuple(
        Postback(
            id=f"payment-{lane}",
            title=f"{partner.name} | payment",
            app=APP,
            partner=partner.id,
            event="payment",
            endpoint=Endpoint(url="https://postback.example.com/"),
        )
        for lane, partner in enumerate(found)
    )
    return Configuration(generation=1, sources=(), apps=(app,), partners=found, postbacks=postbacks)
