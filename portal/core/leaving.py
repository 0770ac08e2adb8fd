"""How a worker's job learns that it is to hand its work over: the worker tells it by SIGUSR1."""

from __future__ import annotations

import os
import signal
import socket
from types import FrameType

_asked_pids: set[int] = set()
"""The process that was asked, if any: a child that is forked later was not. No lock: a handler may interrupt itself."""


def listen() -> None:
    """From now on SIGUSR1 means: leave at the next safe point. Children that are forked after this listen too."""
    signal.signal(signal.SIGUSR1, _on_signal)


def is_wanted() -> bool:
    """Whether this process was asked to leave."""
    return os.getpid() in _asked_pids


def worker_name() -> str:
    """This process, for leases and log lines."""
    return f"{socket.gethostname()}/{os.getpid()}"


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    _asked_pids.add(os.getpid())
