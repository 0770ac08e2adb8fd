"""What a recipe says of ways back that are no more, so that nobody is offered one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from updates.runner import Journal

KEPT: Final = "kept"
"""The fact that it can be taken back, for as long as what it kept is on the device."""
FORGOTTEN: Final = "forgotten"
"""The fact that lists the upgrades, by their ids, of which nothing is kept any more."""


def note_forgotten(journal: Journal, upgrades: Iterable[str]) -> None:
    """It is on record that nothing is kept of `upgrades`. To be said before it goes: half of it is no way back either."""
    journal.remember(FORGOTTEN, sorted({*(journal.recall(FORGOTTEN) or ()), *upgrades}))
