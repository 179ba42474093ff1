"""What an exception on the way means, in the words of a receipt."""

from __future__ import annotations

import errno
import socket
import ssl

from streams.delivery.egress import Blocked
from streams.delivery.outcome import Outcome

from .answers import Malformed
from .origins import Unsendable

#: What has run out on this machine, not at the partner.
OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETDOWN})
#: What a resolver says that could not do its work, in contrast to one that knows that there is no such name.
UNRESOLVED = frozenset({socket.EAI_AGAIN, socket.EAI_MEMORY, socket.EAI_SYSTEM})


def is_ours(error: BaseException) -> bool:
    """Whether the fault is on this side."""
    if isinstance(error, socket.gaierror):
        return error.errno in UNRESOLVED
    return isinstance(error, OSError) and error.errno in OURS


def outcome(error: Exception, dialled: bool) -> Outcome:
    """What came of a request. `dialled`: there was a connection to write it to."""
    if isinstance(error, Unsendable):
        return Outcome("unsendable", None, f"request: {error}")
    if isinstance(error, Blocked):
        return Outcome("blocked", None, f"blocked: {error.address}")
    if isinstance(error, Malformed):
        return Outcome("failure", None, f"protocol: {error}")
    if isinstance(error, socket.gaierror):
        if is_ours(error):
            return Outcome("ours", None, "resolver: temporary failure")
        return Outcome("failure", None, "dns: name does not resolve")
    # What ran out behind a first byte was charged: the partner may have it.
    if not dialled and isinstance(error, OSError) and is_ours(error):
        return Outcome("ours", None, f"resources: {errno.errorcode.get(error.errno or 0, '')}")
    if isinstance(error, ssl.SSLError):
        return Outcome("failure", None, f"tls: {_detail(error)}")
    if isinstance(error, OSError) and dialled:
        return Outcome("failure", None, f"disconnected: {_detail(error)}")
    if isinstance(error, OSError):
        return Outcome("failure", None, f"connect: {_detail(error)}")
    return Outcome("failure", None, f"error: {type(error).__name__}")


def _detail(error: OSError) -> str:
    """A short text without anything of the request: a URL may hold secrets."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "failed").replace("_", " ").lower()
    return str(error.strerror)[:200] if error.strerror else type(error).__name__
