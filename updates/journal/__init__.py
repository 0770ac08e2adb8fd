"""The one writer of an Upgrade's state.

Every write names what it expects (state and fence), demands exactly one row, and puts its UpgradeEvent into the same
transaction: history is what happened, not something to be kept in step. A write that finds no row means that somebody else
holds the upgrade by now: LeaseLost, and nothing was written.
"""

from updates.journal.copies import copy_in, end_file, end_row
from updates.journal.database import DatabaseJournal
from updates.journal.orders import (
    cancel_waiting,
    force_end,
    open_upgrades,
    put_back,
    request_cancel,
    want_commit,
)
from updates.journal.turns import ahead_of
from updates.journal.walk import walk

__all__ = [
    "DatabaseJournal",
    "ahead_of",
    "cancel_waiting",
    "copy_in",
    "end_file",
    "end_row",
    "force_end",
    "open_upgrades",
    "put_back",
    "request_cancel",
    "walk",
    "want_commit",
]
