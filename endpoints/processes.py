"""What every process of `serve` has in common: it ends with its parent, and gives back memory that it does not use."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have this process killed when `parent` ends, even by SIGKILL; at once where it has ended already.

    By the kernel on Linux. Elsewhere gunicorn's workers still notice within a second that their master is gone.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    # The parent may have ended before the request was made.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _trimmer() -> Callable[[int], int] | None:
    """malloc_trim, where the C library has it (glibc)."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


_trim = _trimmer()


def give_back_memory() -> None:
    """Give what lies free between what is in use back to the system: a few milliseconds, for after something large."""
    if _trim is not None:
        _trim(0)
