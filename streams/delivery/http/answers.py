"""One answer, read as its bytes come in: a plain one that is all there at once by `plain`, any other by aiohttp's
parser.

Of an answer the sender wants a status, `Retry-After`, and the beginning of the body; and it must know exactly where
the answer ends, because what comes after that must never be taken for the next one: a connection is used again only
after an answer that ended beyond doubt.

Sizes are bounded: each header line, their number, `BODY_LIMIT` bytes of body. An answer with a longer body is over at
the limit, and its connection cannot be used again.
"""

from __future__ import annotations

import asyncio
import re

from aiohttp import ClientPayloadError
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpVersion11
from aiohttp.http_exceptions import BadHttpMessage, BadStatusLine, HttpProcessingError, LineTooLong
from aiohttp.http_parser import HttpResponseParser, RawResponseMessage
from aiohttp.streams import StreamReader

from . import plain

BODY_LIMIT = 4_096
#: More than this is never kept of what is not yet a whole head, beside what was read at once.
HEAD_LIMIT = 65_536
#: No header line is longer, and there are no more of them.
HEADER_LINE_LIMIT = 8_190
HEADER_COUNT_LIMIT = 100
#: How many 1xx answers may come before the one that counts.
INTERIM_LIMIT = 16

_TIMEOUT = re.compile(r"timeout\s*=\s*([0-9]{1,6})", re.IGNORECASE)
_END = b"\r\n\r\n"
_SWITCHING = 101
_NO_CONTENT = 204
_NO_BODY = frozenset({_NO_CONTENT, 304})


class Malformed(ValueError):
    """This is no HTTP, or more of it than anybody should send. The text is a short one, for a receipt."""


#: What the parser's errors are called; the first that fits.
_NAMES: tuple[tuple[type[Exception], str], ...] = (
    (LineTooLong, "headers too large"),
    (BadStatusLine, "bad status line"),
    (BadHttpMessage, "bad answer"),
    (HttpProcessingError, "bad answer"),
)


class Unhurried(BaseProtocol):
    """Takes the parser's wishes to be fed more slowly, and does not follow them: what it was fed is taken from it at
    once. One is enough for all.
    """

    def pause_reading(self) -> None:
        pass

    def resume_reading(self, resume_parser: bool = True) -> None:
        pass


class Reading:
    """One answer on its way in; `bodiless` for the answer to a HEAD.

    `status` is None until the head of the answer that counts is whole. `body` is what was kept of it so far. When it
    is over, `clean` says whether the connection can carry another one.

    The parser is fed no more than belongs to the answer, as far as its head tells: what comes behind it is no fault of
    the answer, and the parser would lose one over the other.
    """

    __slots__ = (
        "_behind",
        "_bodiless",
        "_counted",
        "_head",
        "_heads",
        "_interim",
        "_left",
        "_loop",
        "_message",
        "_parser",
        "_payload",
        "_tail",
        "_unhurried",
        "body",
        "clean",
        "status",
    )

    def __init__(self, unhurried: Unhurried, loop: asyncio.AbstractEventLoop, bodiless: bool = False) -> None:
        self._unhurried, self._loop, self._bodiless = unhurried, loop, bodiless
        #: Made when it is needed: that takes as long as to read a plain answer.
        self._parser: HttpResponseParser | None = None
        #: Of a plain answer.
        self._head = b""
        self._message: RawResponseMessage | None = None
        self._payload: StreamReader | None = None
        #: The last bytes of what is not yet a whole head, or of chunks.
        self._tail = b""
        #: How much of the body is still to come, when its length was declared.
        self._left: int | None = None
        #: Whether there was something behind the answer, and whether that can be known at all.
        self._behind = False
        self._counted = True
        self._heads = self._interim = 0
        self.status: int | None = None
        self.body = b""
        self.clean = False

    def feed(self, data: bytes) -> bool:
        """Whether the answer is over with these bytes; there must be no more of them then. Raises `Malformed`."""
        if self._parser is None:
            found = None if self._bodiless else plain.read(data)
            if found is not None:
                self.status, begins = found
                self._head, self.body, self.clean = data[:begins], data[begins:], True
                return True
            self._parser = self._made()
        return self._feed(data)

    def _made(self) -> HttpResponseParser:
        return HttpResponseParser(
            self._unhurried,
            self._loop,
            2 * BODY_LIMIT,
            max_line_size=HEADER_LINE_LIMIT,
            max_field_size=HEADER_LINE_LIMIT,
            max_headers=HEADER_COUNT_LIMIT,
            payload_exception=ClientPayloadError,
            response_with_body=not self._bodiless,
            read_until_eof=True,
            auto_decompress=False,
        )

    def _feed(self, data: bytes) -> bool:
        fed = len(data)
        while self._payload is None:
            searched = self._tail + data
            end = searched.find(_END) + len(_END)
            own = end - len(self._tail) if end >= len(_END) else len(data)
            head, data = data[:own], data[own:]
            # The parser takes heads with bare line feeds too. What it was fed behind such a one, nobody knows.
            if head.count(b"\n") != head.count(b"\r\n") + (head[:1] == b"\n" and self._tail[-1:] == b"\r"):
                self._counted = False
            self._tail = b"" if end >= len(_END) else searched[1 - len(_END) :]
            # The parser passes over empty lines, however many there are.
            self._interim += end == len(_END)
            self._parse(head)
            if not data:
                break
        if self._payload is None:
            self._heads += fed
            if self._heads > HEAD_LIMIT:
                raise Malformed("headers too large")
            return False
        self._feed_body(data)
        return self._is_over()

    def _feed_body(self, data: bytes) -> None:
        if self._left is None:
            if data:
                self._tail = (self._tail + data)[-len(_END) :]
                self._parse(data)
            return
        self._behind = self._behind or len(data) > self._left
        own = data[: self._left]
        self._left -= len(own)
        if own:
            self._parse(own)

    def _parse(self, data: bytes) -> None:
        assert self._parser is not None
        try:
            messages, upgraded, rest = self._parser.feed_data(data)
        except HttpProcessingError as error:
            if self._payload is None or not self._payload.is_eof():
                raise Malformed(_named(error)) from None
            self._behind = True
            return
        for message, payload in messages:
            if self._payload is not None:
                self._behind = True
            elif message.code >= 200 or message.code == _SWITCHING:
                self._message, self._payload, self.status = message, payload, message.code
                self._left = self._declared(message)
            elif message.code < 100:
                raise Malformed("bad status line")
            else:
                self._interim += 1
        self._behind = self._behind or upgraded or bool(rest)
        if self._interim > INTERIM_LIMIT:
            raise Malformed("too many interim answers")

    def _declared(self, message: RawResponseMessage) -> int | None:
        if self._has_no_body(message):
            return 0
        length = message.headers.get("Content-Length")
        return int(length) if length is not None and not message.chunked else None

    def _has_no_body(self, message: RawResponseMessage) -> bool:
        return self._bodiless or message.code in _NO_BODY

    def _is_over(self) -> bool:
        message, payload = self._message, self._payload
        assert message is not None
        assert payload is not None
        if payload.exception() is not None:
            raise Malformed("bad body")
        if payload.total_bytes and len(self.body) < BODY_LIMIT:
            self.body += payload.read_nowait(-1)[: BODY_LIMIT - len(self.body)]
        if not payload.is_eof():
            return self._behind or len(self.body) >= BODY_LIMIT
        # Behind the last chunk the parser says nothing of the beginning of something else.
        whole = self._left is not None or self._tail.endswith(_END)
        self.clean = whole and self._counted and not self._behind and not self._doubtful(message)
        return True

    def _doubtful(self, message: RawResponseMessage) -> bool:
        """Whether what comes next may be something else than an answer."""
        if message.code == _SWITCHING:
            return True
        if not self._has_no_body(message):
            return message.should_close
        # A 204 that announces a body may well send one.
        length = message.headers.get("Content-Length", "0")
        if message.code == _NO_CONTENT and (message.chunked or length != "0"):
            return True
        # To the parser one without a length ends with the connection.
        said = ",".join(message.headers.getall("Connection", ())).lower()
        return "close" in said if message.version >= HttpVersion11 else "keep-alive" not in said

    def end(self) -> bool:
        """Whether the answer is whole when the server says no more."""
        if self._payload is None or self._parser is None:
            return False
        try:
            self._parser.feed_eof()
        except (HttpProcessingError, ClientPayloadError):
            return False
        return self._payload.is_eof() and self._payload.exception() is None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """All of them, as they are written."""
        if self._head and self._parser is None:
            self._parser = self._made()
            self._parse(self._head)
        found = () if self._message is None else self._message.headers.items()
        return tuple((str(name), _readable(value)) for name, value in found)

    @property
    def retry_after(self) -> str | None:
        """When to come again, as it is written."""
        return None if self._message is None else self._message.headers.get("Retry-After")

    @property
    def patience(self) -> int | None:
        """For how many seconds the server keeps the connection, when it says so."""
        said = None if self._message is None else self._message.headers.get("Keep-Alive")
        found = None if said is None else _TIMEOUT.search(said)
        return None if found is None else int(found[1])

    @property
    def text(self) -> str | None:
        """The body as text; None when there is none."""
        return self.body.decode("utf-8", "replace") if self.body else None


def _readable(value: str) -> str:
    """The parser writes bytes that are no UTF-8 as characters that nobody can write down again."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _named(error: Exception) -> str:
    return next(name for kind, name in _NAMES if isinstance(error, kind))
