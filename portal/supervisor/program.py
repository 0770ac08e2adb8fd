"""What is to be kept running."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _at_once() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Program:
    """One process of the group.

    `is_ready` tells whether what builds on it may start. `grace_seconds` is how long it may take to end when asked.
    """

    name: str
    command: tuple[str, ...]
    grace_seconds: float
    is_ready: Callable[[], bool] = _at_once
