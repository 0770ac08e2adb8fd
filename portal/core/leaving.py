"""How a worker's job learns that it is to hand its work over: the worker tells it by SIGUSR1."""

from __future__ import annotations

import os
import signal
import socket
import threading
from types import FrameType

_wanted = threading.Event()


def listen() -> None:
    """From now on SIGUSR1 means: leave at the next safe point. Children that are forked after this listen too."""
    signal.signal(signal.SIGUSR1, _on_signal)


def is_wanted() -> bool:
    """Whether this process was asked to leave."""
    return _wanted.is_set()


def worker_name() -> str:
    """This process, for leases and log lines."""
    return f"{socket.gethostname()}/{os.getpid()}"


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    _wanted.set()
