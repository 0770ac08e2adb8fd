"""The same desk behind a master and two workers; a worker that ends is replaced."""

from __future__ import annotations

import gc
import os

import carrier  # noqa: F401  first, so that the agent sees the others being loaded
import console
from shop import desk

WORKERS = 2


def work() -> None:
    desk.open_for_business()
    console.serve()


def lead() -> None:
    """There are always two workers."""
    gc.freeze()  # as masters do that want to share memory
    console.serve(is_aside=True)
    workers: set[int] = set()
    while True:
        while len(workers) < WORKERS:
            worker = os.fork()
            if worker == 0:
                work()
            workers.add(worker)
        ended, _ = os.wait()
        workers.discard(ended)


if __name__ == "__main__":
    lead()
