"""How the C library shares out memory among threads."""

from __future__ import annotations

import ctypes
import logging

log = logging.getLogger(__name__)

#: glibc's M_ARENA_MAX.
ARENA_MAX = -8
ARENAS = 2


def few() -> None:
    """Let all threads that are started from now on share two arenas.

    By default glibc gives eight per core to them, and a worker has dozens of threads, of the client library and of
    RocksDB; what one has freed no other one may take, so that each grows to what it ever needed at once. Measured in a
    recovery: a fifth less memory, at the same speed. Does nothing where there is no glibc.
    """
    try:
        ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS)
    except (OSError, AttributeError, TypeError) as error:
        log.debug("the number of arenas stays as it is: %s", error)
