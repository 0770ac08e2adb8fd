"""Workers that die at their work."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable

from django.db import connections


def dies_at(work: Callable[[], object]) -> None:
    """A worker of its own has begun with that, and is dead: the work has killed it."""
    connections.close_all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(99)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "it was to be killed"
