"""Where an instance lives on its device: its user and its directory, made for a new one and taken away with it."""

from __future__ import annotations

from typing import Final

from devices.drivers.shell import Shell
from updates.errors import StepFailed
from updates.plan import ModulePlan
from updates.recipes.detached import DetachedCalls
from updates.recipes.module.account import Account
from updates.runner import Context

# $1 the user, $2 the directory, $3 how long to wait for the user's manager. A user that is there already is taken as it is.
_MAKE: Final = r"""
user=$1 root=$2
if [ "$user" != root ]; then
  id -u "$user" >/dev/null 2>&1 || useradd --create-home --shell /usr/sbin/nologin -- "$user" || exit 1
  loginctl enable-linger "$user" || exit 1
  uid=$(id -u "$user") n=0
  until [ -S "/run/user/$uid/bus" ]; do
    n=$((n + 1))
    [ "$n" -le "$3" ] || { echo "The service manager of $user did not start."; exit 1; }
    sleep 1
  done
  exec runuser -u "$user" -- sh -c 'umask 022; mkdir -p -- "$1" && mkdir -p -m 700 -- "$1/state"' sh "$root"
fi
mkdir -p -- "$root" && mkdir -p -m 700 -- "$root/state"
"""

# $1 the user, $2 the directory, $3 what its units are named by. Nothing of the instance is left, its services are stopped.
_UNMAKE: Final = r"""
user=$1 root=$2 id=$3
if [ "$user" != root ]; then
  id -u "$user" >/dev/null 2>&1 || exit 0
  loginctl disable-linger "$user" 2>/dev/null
  loginctl terminate-user "$user" 2>/dev/null
  n=0
  while pgrep -u "$user" >/dev/null 2>&1 && [ "$n" -lt 100 ]; do
    n=$((n + 1))
    [ "$n" -lt 50 ] || pkill -KILL -u "$user"
    sleep 0.2 2>/dev/null || sleep 1
  done
  userdel --remove -- "$user" 2>&1 || exit 1
  exit 0
fi
cd /etc/systemd/system 2>/dev/null && for unit in "$id".* "$id"-*; do
  [ -e "$unit" ] || continue
  systemctl disable --now -- "$unit" 2>/dev/null
  rm -rf -- "$unit"
done
rm -rf -- "$root"
"""

MANAGER_SECONDS: Final = 60


class Place:
    """The place of one plan's instance."""

    def __init__(self, plan: ModulePlan, shell: Shell, calls: DetachedCalls) -> None:
        self._plan = plan
        self._shell = shell
        self._calls = calls

    def make(self, context: Context) -> None:
        """User, service manager and empty directories are there."""
        self._do(
            context,
            "make-place",
            _MAKE,
            self._plan.user,
            self._plan.install_dir,
            str(MANAGER_SECONDS),
        )

    def unmake(self, context: Context) -> None:
        """Nothing of the instance is on the device but its images and volumes."""
        self._do(
            context,
            "unmake-place",
            _UNMAKE,
            self._plan.user,
            self._plan.install_dir,
            self._plan.instance,
        )

    def _do(self, context: Context, word: str, script: str, *arguments: str) -> None:
        Account.known(self._plan.user)
        command = ["sh", "-c", script, "sh", *arguments]
        status, said = self._calls.timed(context, word, command=command, cwd="/", env={})
        if status:
            last = said.strip().rpartition("\n")[2] or f"it ended with status {status}"
            raise StepFailed(f"{word} failed: {last}", call=word, output=said)
