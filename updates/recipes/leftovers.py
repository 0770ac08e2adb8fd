"""What upgrades to artifacts leave on a device: the newest file trees stay there, for a rollback by hand, and all else goes."""

from __future__ import annotations

import re
from typing import Final

from devices.drivers.shell import Shell
from updates.plan import ArtifactPlan, Mode

UPGRADE_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SHORT_SECONDS: Final = 30.0
FENCE_DAYS: Final = 30
STAGE_DAYS: Final = 2


class Leftovers:
    """What the upgrade of `plan` leaves, and those before it: `kept_trees` trees at most."""

    def __init__(self, plan: ArtifactPlan, shell: Shell, *, kept_trees: int) -> None:
        self._plan = plan
        self._shell = shell
        self._kept_trees = kept_trees
        self._work_root = plan.device.work_root
        self._home = f"{plan.device.work_root}/{plan.upgrade}"

    def remove(self, *, is_success: bool) -> None:
        """Of a change that is in place the tree stays; of any other upgrade nothing does."""
        if is_success and self._plan.mode is Mode.INSTALL:
            for name in ("steps", "ballast"):
                self._shell.remove_tree(f"{self._home}/{name}")
        else:
            self._shell.remove_tree(self._home)
        if self._plan.tree_of and is_success:
            self._shell.remove_tree(f"{self._work_root}/{self._plan.tree_of}")
        for old in self._kept()[self._kept_trees :]:
            self._shell.remove_tree(f"{self._work_root}/{old}")
        # by then no holder of theirs can be asleep any more, and no transfer of theirs can go on
        for pattern, days in (("fence-*", FENCE_DAYS), (".fleetwright-*.part", STAGE_DAYS)):
            old_ones = ["-maxdepth", "1", "-name", pattern, "-mtime", f"+{days}"]
            self._shell.run(
                ["find", self._work_root, *old_ones, "-exec", "rm", "-rf", "{}", ";"],
                limit_seconds=SHORT_SECONDS,
            )

    def _kept(self) -> list[str]:
        """Upgrades that still have a tree on the device, newest first: this one is, whatever the device's clock says."""
        result = self._shell.run(["ls", "-1t", self._work_root], limit_seconds=SHORT_SECONDS)
        names = result.output.decode(errors="replace").split("\n")
        kept = [name for name in names if UPGRADE_ID.fullmatch(name)]
        return sorted(kept, key=lambda name: name != self._plan.upgrade)
