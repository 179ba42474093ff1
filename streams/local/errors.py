"""What can go wrong with the local parts, said with the way out."""

from __future__ import annotations

from streams.errors import Stop


class LocalError(Stop):
    """Something local could not be started."""


class JavaMissing(LocalError):
    """No Java of the needed version was found."""


class ResolutionFailed(LocalError):
    """The broker's jars could not be fetched, or are not the ones that the lock names."""


class StartFailed(LocalError):
    """A process did not come up; `message` holds the end of its log."""
