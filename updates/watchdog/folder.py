"""Where the portal and its watchdog leave things for each other, and where the watchdog keeps what it goes by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from updates.watchdog.durable import make_folder


@dataclass(frozen=True, slots=True)
class Folder:
    """DATA_DIR, which both see. Names begin with `.upgrade-`: backups leave these alone, so no restore takes them back.

    `own` is the watchdog's alone: what it carries out lies there, and in DATA_DIR a copy of it for the portal to read. None: the
    portal's view, or that of somebody who carries nothing out.
    """

    data: Path
    own: Path | None = None

    @property
    def trigger(self) -> Path:
        """What is to be done next: written by the portal, or by hand."""
        return self.data / ".upgrade-trigger"

    @property
    def journals(self) -> Path:
        """What the two tell each other: a copy of each upgrade's file among it."""
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
    def preflight(self) -> Path:
        """What an upgrade would find, as the watchdog saw it last."""
        return self.journals / "preflight"

    @property
    def backup_order(self) -> Path:
        """A backup that somebody wants now, and then what became of it."""
        return self.journals / "backup-order"

    @property
    def template(self) -> Path:
        """How the portal wants to be upgraded: a plan that lacks its id, its image and its version."""
        return self.journals / "template"

    @property
    def backup_progress(self) -> Path:
        """What the watchdog remembers of the backup that it is making."""
        return self.records / "backup-progress"

    @property
    def records(self) -> Path:
        """One file for each upgrade: what counts."""
        return self.journals if self.own is None else self.own / "records"

    @property
    def work_root(self) -> Path:
        """What the recipe writes down, and its detached steps, which run as root."""
        return (self.own or self.journals) / "work"

    @property
    def stage(self) -> Path:
        """Where a backup's copying is prepared: root runs what lies there, and the portal owns `backups`."""
        return self.work_root / "staged"

    @property
    def backups(self) -> Path:
        """Where the portal's backups lie. Its owner is the portal, though the watchdog writes them."""
        return self.data / "backups"

    def record(self, upgrade: str) -> Path:
        return self.records / f"{UUID(upgrade)}.json"

    @property
    def as_shown(self) -> Folder:
        """As the portal sees it."""
        return Folder(self.data)

    def cancel(self, upgrade: str) -> Path:
        """Written by the portal: somebody wants this upgrade to end."""
        return self.journals / f"{UUID(upgrade)}.cancel"

    def make(self) -> None:
        """The folders are there: those in DATA_DIR for whoever owns that, the watchdog's own for itself."""
        make_folder(self.journals)
        make_folder(self.records)
        make_folder(self.work_root)
        make_folder(self.stage)
        make_folder(self.backups)
