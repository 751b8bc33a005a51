"""A file's time as the ledger keeps it."""

from __future__ import annotations

_GREATEST = 2**63 - 1


def storable_ns(time_ns: int) -> int:
    """A file's time as the ledger keeps it: at most that of the year 2262, at least that of 1677.

    A file system can hold later ones, and a wrong clock or a broken copy writes them.
    """
    if -_GREATEST <= time_ns <= _GREATEST:  # this runs for every file of a million
        return time_ns
    return _GREATEST if time_ns > 0 else -_GREATEST
