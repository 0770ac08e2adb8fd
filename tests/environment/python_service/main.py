"""The threaded service."""

from __future__ import annotations

import carrier  # noqa: F401  first, so that the agent sees the others being loaded
import console
from shop import clock, desk

if __name__ == "__main__":
    clock.begin(desk.tick)
    console.serve()
