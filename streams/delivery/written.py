"""The bytes of a request, exactly as the wire puts them on a connection, without a connection.

The wire itself sends the request, over a transport that keeps what is written and answers by itself when it is whole.
So there is nothing here that could differ from what a partner gets.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from streams.templates.finish import Finished, Unrenderable

from .egress import Guard
from .wire import AiohttpWire

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)
#: Nothing is waited for but this program.
_TIMEOUT = 60_000


async def written(request: Finished) -> bytes:
    """The request as HTTP/1.1. Nothing is looked up, and nothing is dialled.

    Raises `Unrenderable` when the wire would refuse it, with the words of a receipt.
    """
    connector = _Paper()
    wire = AiohttpWire(Guard([]), connector=connector)
    try:
        outcome = await wire.send(request, _TIMEOUT)
    finally:
        await wire.close()
    if outcome.kind != "answer":
        raise Unrenderable(outcome.error or outcome.kind)
    return bytes(connector.kept)


class _Paper(aiohttp.BaseConnector):
    """Connects to nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = bytearray()

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:  # noqa: ASYNC109
        """Where aiohttp's connectors differ from one another."""
        protocol: ResponseHandler = self._factory()
        protocol.connection_made(_Transport(protocol, self.kept))
        return protocol


class _Transport(asyncio.Transport):
    """Keeps what is written, and answers once that is a whole request."""

    def __init__(self, protocol: ResponseHandler, kept: bytearray) -> None:
        super().__init__()
        self._protocol, self._kept = protocol, kept
        self._closed = False

    def write(self, data: Any) -> None:
        self._kept += data
        head, end, body = bytes(self._kept).partition(b"\r\n\r\n")
        declared = _LENGTH.search(head + b"\r\n")
        if end and len(body) >= (int(declared[1]) if declared else 0):
            asyncio.get_running_loop().call_soon(self._protocol.data_received, _ANSWER)

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            # Whoever closes a connector waits for this.
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()
