"""What an upgrade of containers found, written down on the device for its way back: each container whole, each image's tag.

It lies in a folder of the portal's own, `<work root>/instances/<instance>/<upgrade>`, readable by root alone: the environment of
a container holds its secrets. So nothing of it is in the history.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from devices.drivers.shell import Shell
from updates.plan import ContainerPlan
from updates.recipes.patience import patiently
from updates.runner import Context

SHORT_SECONDS: Final = 30.0
PRIVATE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Before:
    """`containers` are the engine's whole answers by name, `ran` those of them that ran; `images` rows of reference, id and tag.

    `dependants` are the names of containers that live in the network of one of the set.
    """

    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    images: list[dict[str, str]] = field(default_factory=list)
    dependants: list[str] = field(default_factory=list)

    def labels(self) -> dict[str, dict[str, str]]:
        """The labels of each container, by its name."""
        return {
            name: dict((answer.get("Config") or {}).get("Labels") or {})
            for name, answer in self.containers.items()
        }

    @property
    def image_id(self) -> str:
        """The id of the image that the set was made from; empty when nothing is known."""
        for name, answer in self.containers.items():
            if name not in self.dependants:
                return str(answer.get("Image", ""))
        return ""


class Standing:
    """The folders in which upgrades of one instance have written down what they found."""

    def __init__(self, plan: ContainerPlan, shell: Shell) -> None:
        self._plan = plan
        self._shell = shell
        self._place = f"{plan.device.work_root}/instances/{plan.instance}"

    def write(self, before: Before) -> None:
        """What this upgrade found is written down."""
        content = json.dumps(asdict(before)).encode()
        self._shell.put_file(f"{self._folder()}/before.json", [content], mode=PRIVATE)

    def read(self, context: Context, upgrade: str = "") -> Before:
        """What `upgrade` (this one if empty) has written down; nothing if it is not there any more."""

        def look() -> bytes:
            path = f"{self._folder(upgrade)}/before.json"
            if self._shell.run(["test", "-f", path], limit_seconds=SHORT_SECONDS).status:
                return b"{}"
            return b"".join(self._shell.get_file(path))

        return Before(**json.loads(patiently(context, self._shell, look)))

    def upgrades(self, context: Context) -> list[str]:
        """The ids of those that have written something down."""
        command = ["find", self._place, "-mindepth", "2", "-maxdepth", "2", "-name", "before.json"]
        result = patiently(
            context, self._shell, lambda: self._shell.run(command, limit_seconds=SHORT_SECONDS)
        )
        paths = result.output.decode(errors="replace").splitlines() if not result.status else []
        return sorted(path.rsplit("/", 2)[1] for path in paths)

    def forget(self, upgrade: str) -> None:
        """Nothing of what `upgrade` found is written down any more."""
        self._shell.remove_tree(self._folder(upgrade))

    def _folder(self, upgrade: str = "") -> str:
        return f"{self._place}/{upgrade or self._plan.upgrade}"
