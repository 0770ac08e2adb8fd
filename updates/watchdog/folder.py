"""Where the portal and its watchdog leave things for each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from updates.watchdog.durable import make_folder


@dataclass(frozen=True, slots=True)
class Folder:
    """DATA_DIR, which both see. Names begin with `.upgrade-`: backups leave these alone, so no restore takes them back."""

    data: Path

    @property
    def trigger(self) -> Path:
        """What is to be done next: written by the portal, or by hand."""
        return self.data / ".upgrade-trigger"

    @property
    def journals(self) -> Path:
        """One file for each upgrade, and whatever else the two keep."""
        return self.data / ".upgrade-journal"

    @property
    def taken(self) -> Path:
        """A trigger that is being made an upgrade of."""
        return self.journals / "taken"

    @property
    def refused(self) -> Path:
        """Why the last trigger was not taken."""
        return self.journals / "refused"

    @property
    def heartbeat(self) -> Path:
        return self.journals / "heartbeat"

    @property
    def holder(self) -> Path:
        """Locked by the watchdog as long as it lives."""
        return self.journals / "holder"

    @property
    def drained(self) -> Path:
        """Written by the portal: it has nothing in hand for this upgrade to wait for."""
        return self.journals / "drained"

    @property
    def backup_order(self) -> Path:
        """A backup that somebody wants now, and then what became of it."""
        return self.journals / "backup-order"

    @property
    def template(self) -> Path:
        """How the portal wants to be upgraded: a plan that lacks its id, its image and its version."""
        return self.journals / "template"

    @property
    def work_root(self) -> Path:
        """What the recipe writes down, and its detached steps."""
        return self.journals / "work"

    @property
    def backups(self) -> Path:
        """Where the portal's backups lie. Its owner is the portal, though the watchdog writes them."""
        return self.data / "backups"

    def record(self, upgrade: str) -> Path:
        return self.journals / f"{UUID(upgrade)}.json"

    def cancel(self, upgrade: str) -> Path:
        """Written by the portal: somebody wants this upgrade to end."""
        return self.journals / f"{UUID(upgrade)}.cancel"

    def make(self) -> None:
        """The folders are there, for whoever owns DATA_DIR alone."""
        make_folder(self.journals)
        make_folder(self.work_root)
        make_folder(self.backups)
