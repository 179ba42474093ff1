"""The identity of a job (contract §7): the same input gives the same job, for ever."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b


def job_id(postback_id: str, event: str, app_id: str, device_key: str, kind: str, record_id: str, at: int) -> str:
    """128 bits as 32 hexadecimal digits, derived from the postback, the derived event and the input record.

    `at` is the record's own time in milliseconds. The parts are joined with their lengths, so that no two different
    lists of parts are the same text.
    """
    return job_ids(postback_id, event, app_id)(record_part(device_key, kind, record_id, at))


def job_ids(postback_id: str, event: str, app_id: str) -> Callable[[bytes], str]:
    """The ids of the jobs of a postback on a derived event, by what `record_part` says of a record."""
    text = f"{len(postback_id)}:{postback_id}\x00{len(event)}:{event}\x00{len(app_id)}:{app_id}\x00"
    begun = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, person=b"ringback-job")

    def of(record: bytes) -> str:
        one = begun.copy()
        one.update(record)
        return one.hexdigest()

    return of


def record_part(device_key: str, kind: str, record_id: str, at: int) -> bytes:
    """The part of an id that is the record's: the same for every job that it gives."""
    own = str(at)
    text = f"{len(device_key)}:{device_key}\x00{len(kind)}:{kind}\x00{len(record_id)}:{record_id}\x00{len(own)}:{own}"
    return text.encode("utf-8", "surrogatepass")
