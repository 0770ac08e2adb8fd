"""Binds a child process to the life of its parent.

The kernel does it (prctl PR_SET_PDEATHSIG): it works for programs that are not ours (redis-server, the web server), at the
very moment the parent dies, SIGKILL included. A pipe that children watch would need a watching thread in each of them, and a
wrapper around the foreign ones. Linux only; elsewhere a killed parent leaves its children to whoever finds them.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def bound_to_this_process(signal_number: signal.Signals) -> Callable[[], None]:
    """A function for a child to call between fork and exec: from then on the kernel sends it the signal when we die."""
    parent = os.getpid()

    def bind() -> None:
        set_parent_death_signal(signal_number)
        if os.getppid() != parent:  # it died before we had said so
            os.kill(os.getpid(), signal_number)

    return bind


def set_parent_death_signal(signal_number: signal.Signals) -> None:
    """The kernel sends this process the signal when the thread that forked it ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal_number))
