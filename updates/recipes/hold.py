"""Waiting before the commit until somebody has looked: `mender install` and `mender commit` as two steps. It holds no worker."""

from __future__ import annotations

from typing import Final

from updates.runner import Context, HandOver

HELD: Final = "held"
"""The fact that an upgrade waits for somebody to commit it or to cancel it."""
COMMIT_WANTED: Final = "commit_wanted"
"""The fact that somebody has said so."""


def hold(context: Context) -> None:
    """Somebody wants the commit. Until then this worker leaves, each time; Cancelled when somebody wants it back."""
    journal = context.journal
    if journal.recall(COMMIT_WANTED):
        return
    context.tick()
    if not journal.recall(HELD):
        journal.note("It is installed, and waits: commit it, or cancel it, which takes it back.")
        journal.remember(HELD, True)  # noqa: FBT003 - a JSON value
    raise HandOver
