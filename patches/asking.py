"""Asking many nodes at once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, TypeVar

from devices.drivers.nodes import NodeRuntime

AT_ONCE: Final = 16
TICK_SECONDS: Final = 0.5

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Member:
    """A node that takes part."""

    id: int
    name: str
    runtime: NodeRuntime


def ask_all(
    members: Sequence[Member], ask: Callable[[Member], Answer], *, tick: Callable[[], None]
) -> Iterator[tuple[Member, Answer]]:
    """Each member with its answer, in the order in which they come; at most 16 are asked at a time.

    `tick` is called at least once a second. When it raises, or the caller stops, who has not been asked yet is not asked any
    more, and what was asked is waited for, up to its time limit: nothing of ours happens on a node afterwards.
    """
    pool = ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="node")
    try:
        asked: dict[Future[Answer], Member] = {pool.submit(ask, one): one for one in members}
        waiting = set(asked)
        while waiting:
            tick()
            done, waiting = wait(waiting, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                yield asked.pop(future), future.result()
                del future
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
