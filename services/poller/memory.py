"""Keeping the process small: glibc by default keeps an arena for every thread, and pages of a megabyte in each."""

import ctypes
import gc
import sys
from time import monotonic

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_PAGE_SIZED = 128 * 1024
HOUSEKEEPING_SECONDS = 5.0


def save_memory() -> None:
    """Share one arena among all threads and give big blocks back at once; call before threads start.

    Does nothing where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    mallopt = getattr(library, "mallopt", None)
    if mallopt is None:
        return
    for parameter, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _PAGE_SIZED), (_M_TRIM_THRESHOLD, _PAGE_SIZED)):
        mallopt(parameter, value)
    gc.freeze()


class Housekeeping:
    """Collects what finished work left in cycles and gives free pages back, now and then."""

    def __init__(self) -> None:
        self._done_at = float("-inf")

    def give_back(self) -> None:
        """Do it, unless it was done a moment ago: with many connections the work never ends."""
        if monotonic() - self._done_at < HOUSEKEEPING_SECONDS:
            return
        self._done_at = monotonic()
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
