"""Whose instance it is: how to act as its Unix user on the device, and how to talk to the service manager that runs it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from devices.drivers.shell import Shell
from updates.errors import StepFailed
from updates.plan import ModulePlan

ROOT: Final = "root"
SHORT_SECONDS: Final = 30.0
UNIT_TYPES: Final = "service,timer,socket,path"

_ACCOUNT: Final = r"""
me=$(id -un) && uid=$(id -u "$1") && home=$(eval "echo ~$1") && printf '%s\n' "$me" "$uid" "$home"
"""
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the device. `words` turn a command into that user's, wherever we are logged in as root or as the user."""

    user: str
    uid: int
    home: str
    is_login: bool

    @classmethod
    def known(cls, user: str) -> str:
        """The name, unchanged. StepFailed for one that no Unix user has."""
        if not _USER.fullmatch(user):
            raise StepFailed(f"{user!r} cannot be the name of a user.")
        return user

    @classmethod
    def found(cls, shell: Shell, user: str) -> Self | None:
        """The user as the device knows it; None when it does not."""
        result = shell.run(
            ["sh", "-c", _ACCOUNT, "sh", cls.known(user)], limit_seconds=SHORT_SECONDS
        )
        lines = result.output.decode(errors="replace").splitlines()
        if result.status or len(lines) != 3 or not lines[1].isdigit():
            return None
        return cls(user=user, uid=int(lines[1]), home=lines[2], is_login=lines[0] == user)

    @property
    def words(self) -> list[str]:
        return [] if self.is_login else ["runuser", "-u", self.user, "--"]

    @property
    def env(self) -> dict[str, str]:
        """What the user's own login would set, and where its service manager listens."""
        words = {"HOME": self.home, "USER": self.user, "LOGNAME": self.user}
        if self.user != ROOT:
            runtime = f"/run/user/{self.uid}"
            words["XDG_RUNTIME_DIR"] = runtime
            words["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={runtime}/bus"
        return words

    def systemctl(self, *words: str) -> list[str]:
        """A command to the service manager that runs the instance: the system's for root, else the user's own."""
        manager = ["systemctl"] if self.user == ROOT else ["systemctl", "--user"]
        return [*self.words, *manager, *words]


def own_units(
    shell: Shell, account: Account, plan: ModulePlan, listing: Sequence[str]
) -> list[str]:
    """The instance's units of what systemctl lists. Rootless: those whose files it brought; rootfull: those named by it.

    StepFailed when the service manager does not answer.
    """
    command = account.systemctl(
        *listing, "--plain", "--no-legend", "--full", f"--type={UNIT_TYPES}"
    )
    result = shell.run(command, limit_seconds=SHORT_SECONDS, env=account.env)
    said = result.output.decode(errors="replace")
    if result.status:
        raise StepFailed(
            f"The service manager of {account.user} says nothing of its units: {said[-300:]}"
        )
    listed = [line.split()[0] for line in said.splitlines() if line.split()]
    if plan.rootfull:
        name = plan.instance
        return [unit for unit in listed if unit.startswith((f"{name}.", f"{name}-"))]
    folder = f"{plan.install_dir}/systemd/user"
    files = shell.run(
        [*account.words, "sh", "-c", 'ls -A -- "$1" 2>/dev/null', "sh", folder],
        limit_seconds=SHORT_SECONDS,
    )
    brought = set(files.output.decode(errors="replace").splitlines())
    return [unit for unit in listed if _file_of(unit) in brought]


def _file_of(unit: str) -> str:
    """The file that a unit comes from: that of its template, if it is an instance of one."""
    name, at, rest = unit.partition("@")
    return f"{name}@.{rest.rpartition('.')[2]}" if at else unit
