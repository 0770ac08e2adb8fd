"""A device that is played by a folder, and whose Update Module cuts the power by itself: so nothing has to run beside."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile

from devices.drivers.linked_shell import Booting
from devices.drivers.local import LocalShell
from devices.drivers.shell import Shell
from devices.models import Device
from portal.core.actors import PORTAL
from tests.formats.build import artifact, header_info, type_info
from updates.models import Upgrade
from updates.runner import Recipe
from updates.services.artifacts import upload_artifact, upload_update_module
from updates.services.carry_out import Ending, carry_out
from updates.services.planning import plan_now
from updates.services.recipes import artifact_recipe
from updates.services.upgrades import apply_artifact

RECORDER = Path(__file__).with_name("recorder.sh")
BEFORE = {"artifact_name": "old", "app.version": "1", "other": "kept"}
AFTER = {"artifact_name": "new", "app.version": "2", "other": "kept"}
BROKEN = {**BEFORE, "artifact_name": "new_INCONSISTENT"}
REBOOT = """
echo reboot >>"$1/log"
if [ -s "$1/stays-away" ]; then sed -i '$d' "$1/stays-away"; else cat /proc/sys/kernel/random/uuid >"$1/boot_id"; fi
"""


class Ordered(Protocol):
    """A device as far as an order has to know it."""

    row: Device


class FolderDevice:
    """A device whose `/` is the folder `root`. It boots by getting another boot id; `log` has what was done to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir()
        (root / "boot_id").write_text(f"{uuid.uuid4()}\n")
        self.row = Device.objects.create(
            name=f"folder-{uuid.uuid4().hex[:8]}",
            device_type="box",
            driver=Device.Driver.LOCAL,
            root=str(root),
            provides=BEFORE,
        )

    def shell(self) -> Shell:
        booting = Booting(
            boot_id_path=str(self.root / "boot_id"),
            reboot_command=("sh", "-c", REBOOT, "sh", str(self.root)),
        )
        return LocalShell(booting=booting, kill_after_seconds=0.5)

    def stays_away(self, times: int) -> None:
        """Of its next reboots it does not boot again after so many."""
        (self.root / "stays-away").write_text("once\n" * times)

    def log(self) -> list[str]:
        path = self.root / "log"
        return path.read_text().split() if path.exists() else []

    def provides(self) -> dict[str, str]:
        self.row.refresh_from_db()
        return dict(self.row.provides)

    def is_changed(self) -> bool:
        return (self.root / "installed").exists()


def order(
    device: Ordered,
    behaviour: Mapping[str, str],
    *,
    scripts: Sequence[tuple[str, bytes]] = (),
    name: str = "new",
    payload: bytes = b"new\n",
    holds: bool = False,
) -> Upgrade:
    """An upgrade to an artifact whose Update Module behaves as said (see recorder.sh)."""
    module = ContentFile(RECORDER.read_bytes(), "recorder")
    upload_update_module(name="recorder", file=module, actor=PORTAL)
    content = artifact(
        info=header_info(
            payloads=[{"type": "recorder"}], artifact_provides={"artifact_name": name}
        ),
        types=type_info(
            type="recorder",
            artifact_provides={"app.version": "2"},
            clears_artifact_provides=["app.*"],
        ),
        meta_data=json.dumps(dict(behaviour)).encode(),
        scripts=scripts,
        files=[("payload", payload)],
    )
    stored = upload_artifact(file=SimpleUploadedFile("new.mender", content), actor=PORTAL)
    return apply_artifact(
        device=device.row, artifact=stored, actor=PORTAL, reason="to see", holds=holds
    )


def carried_out(
    device: FolderDevice, upgrade: Upgrade, *, wants_leave: Callable[[], bool] = lambda: False
) -> Ending:
    """How one worker's part in it ended."""

    def recipe(upgrade: Upgrade, _shell: Shell) -> Recipe:
        return artifact_recipe(plan_now(upgrade), device.shell())

    ending = carry_out(
        str(upgrade.pk), make_recipe=recipe, worker="worker-1", wants_leave=wants_leave
    )
    upgrade.refresh_from_db()
    return ending
