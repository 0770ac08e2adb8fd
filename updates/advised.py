"""What advice about a failure is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and a command that helps with it."""

    says: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """The likely cause of a failure, and what to do about it, in this order."""

    cause: str
    steps: tuple[Step, ...]
