"""What a process of ours on this machine answers at its probes."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit


def ask(address: str, path: str, within: float) -> tuple[int, str]:
    """Status and text of the answer at `path`; 0 when there is none `within` so many seconds. `address`: a URL, of
    which only host and port count.
    """
    # Without urllib: the shell's proxy is not for us.
    connection = HTTPConnection(urlsplit(address).netloc, timeout=within)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, HTTPException):
        return 0, ""
    finally:
        connection.close()
