"""One device under test, however it is reached: what the conformance tests need to know about it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devices.drivers.linked_shell import Booting
from devices.drivers.local import LocalShell
from devices.drivers.shell import Shell
from devices.drivers.ssh import SshAddress, SshShell
from devices.drivers.ssh_login import KeyLogin
from tests.drivers.sshd import RunningSshd

KINDS = ["local", "busybox", "ssh"]
"""`busybox` is `local` where every tool, the shell too, is busybox's: what an embedded device has.

Only `flock` is not: Debian builds its busybox without it.
"""


@dataclass(frozen=True, slots=True)
class Device:
    """`root` is a directory of the device that we can look into; its boot id is a file there."""

    kind: str
    root: Path
    sshd: RunningSshd | None
    reboot_command: Sequence[str] = ("false",)

    @property
    def boot_id_path(self) -> Path:
        return self.root / "boot_id"

    def shell(self, *, silence_seconds: float = 30) -> Shell:
        booting = Booting(
            boot_id_path=str(self.boot_id_path), reboot_command=list(self.reboot_command)
        )
        if self.sshd is None:
            return LocalShell(kill_after_seconds=0.5, booting=booting)
        return SshShell(
            SshAddress(self.sshd.host, self.sshd.port, self.sshd.user),
            login=KeyLogin(self.sshd.client_key_pem),
            host_key=self.sshd.host_key,
            silence_seconds=silence_seconds,
            kill_after_seconds=0.5,
            booting=booting,
        )

    def boot_again(self) -> None:
        self.boot_id_path.write_text(self.boot_id_path.read_text().strip() + "-again\n")


def busybox_only(folder: Path) -> str:
    """A PATH on which there is nothing but busybox."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox is not installed")
    tools = "sh cat mv mkdir mkfifo rm tar stat df setsid kill sync sleep tail head wc chmod env true false"
    folder.mkdir()
    for tool in tools.split():
        (folder / tool).symlink_to(busybox)
    (folder / "flock").symlink_to(shutil.which("flock") or "/usr/bin/flock")
    return str(folder)


def living(marker: str) -> list[str]:
    """The command lines of living processes that have `marker` among their words."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if marker.encode() in words and state != "Z":
                found.append(b" ".join(words).decode())
    return found
