"""What an upgrade keeps for its way back beside the tree: images, the units that ran, the contents of volumes.

It lies in a folder of the portal's own on the device, `<work root>/instances/<instance>/<upgrade>`, readable by root alone.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Final

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from updates.plan import ModulePlan
from updates.recipes.patience import patiently
from updates.runner import Context

SHORT_SECONDS: Final = 30.0
PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Kept:
    """`images` are rows of reference, id and our own tag; `ran` names the units that ran."""

    images: list[dict[str, str]] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)


class Keeping:
    """The keeping folders of one plan's instance."""

    def __init__(self, plan: ModulePlan, shell: Shell, engine: Engine) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._place = f"{plan.device.work_root}/instances/{plan.instance}"

    def write(self, kept: Kept) -> None:
        """What this upgrade found is written down."""
        content = json.dumps(asdict(kept)).encode()
        self._shell.put_file(f"{self._folder()}/kept.json", [content], mode=PRIVATE)

    def read(self, context: Context, upgrade: str) -> Kept:
        """What `upgrade` has written down; nothing if it is not there any more."""

        def look() -> bytes:
            path = f"{self._folder(upgrade)}/kept.json"
            if self._shell.run(["test", "-f", path], limit_seconds=SHORT_SECONDS).status:
                return b"{}"
            return b"".join(self._shell.get_file(path))

        said = json.loads(patiently(context, self._shell, look))
        return Kept(images=list(said.get("images", ())), ran=list(said.get("ran", ())))

    def back_up_volumes(self, context: Context) -> None:
        """Where data is kept, so are the named volumes' contents: each whole, or not at all."""
        for name in self._volumes():
            context.tick()
            content = self._engine.read_volume(name)
            self._shell.put_file(self._volume(self._plan.upgrade, name), content, mode=PRIVATE)
            context.journal.note(f"The volume {name} is kept.")

    def put_back_volumes(self, context: Context, *, kept_of: str) -> None:
        """The volumes hold what `kept_of` found in them. What a broken connection left half is written again."""
        for name in self._plan.volumes if self._plan.keeps_data else ():
            context.tick()
            path = self._volume(kept_of, name)
            is_there = patiently(
                context,
                self._shell,
                lambda: self._shell.run(["test", "-f", path], limit_seconds=SHORT_SECONDS).status,  # noqa: B023 - called at once
            )
            if is_there == 0:
                patiently(
                    context,
                    self._engine,
                    lambda: self._engine.write_volume(name, self._shell.get_file(path)),  # noqa: B023 - called at once
                )
                context.journal.note(f"The volume {name} is as it was.")

    def forget(self, upgrade: str) -> None:
        """Nothing of this is kept of `upgrade`."""
        self._shell.remove_tree(self._folder(upgrade))

    def forget_instance(self) -> None:
        """Nothing is kept of any upgrade of the instance; our mark on what we made stays until that is gone."""
        command = ["find", self._place, "-mindepth", "1", "-maxdepth", "1", "-type", "d"]
        words = [*command, "-exec", "rm", "-rf", "{}", "+"]
        self._shell.run(words, limit_seconds=SHORT_SECONDS)

    def _volumes(self) -> list[str]:
        if not self._plan.keeps_data or not self._plan.volumes:
            return []
        there = set(self._engine.volumes())
        return [name for name in self._plan.volumes if name in there]

    def _folder(self, upgrade: str = "") -> str:
        return f"{self._place}/{upgrade or self._plan.upgrade}"

    def _volume(self, upgrade: str, name: str) -> str:
        return f"{self._folder(upgrade)}/volumes/{name}.tar"
