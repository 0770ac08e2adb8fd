"""Where an instance lives on its device: its user and its directory, made for a new one and taken away with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from devices.drivers.shell import Shell
from updates.errors import StepFailed
from updates.plan import ModulePlan
from updates.recipes.detached import DetachedCalls
from updates.recipes.module.account import Account
from updates.recipes.patience import patiently
from updates.runner import Context

# $1 the user, $2 the directory, $3 our mark, $4 how long to wait for the user's manager. What was there before us is not taken.
_MAKE: Final = r"""
user=$1 root=$2 mark=$3
if [ ! -f "$mark" ]; then
  if [ "$user" != root ] && id -u "$user" >/dev/null 2>&1; then echo "The user $user is there already."; exit 1; fi
  if [ -e "$root" ]; then echo "$root is there already."; exit 1; fi
  umask 077
  mkdir -p -- "${mark%/*}" && printf '%s\n' "$user" "$root" >"$mark.new" && mv -- "$mark.new" "$mark" && sync || exit 1
  umask 022
fi
if [ "$user" != root ]; then
  id -u "$user" >/dev/null 2>&1 || useradd --create-home --shell /usr/sbin/nologin -- "$user" || exit 1
  loginctl enable-linger "$user" || exit 1
  uid=$(id -u "$user") n=0
  until [ -S "/run/user/$uid/bus" ]; do
    n=$((n + 1))
    [ "$n" -le "$4" ] || { echo "The service manager of $user did not start."; exit 1; }
    sleep 1
  done
  exec runuser -u "$user" -- sh -c 'umask 022; mkdir -p -- "$1" && mkdir -p -m 700 -- "$1/state"' sh "$root"
fi
mkdir -p -- "$root" && mkdir -p -m 700 -- "$root/state"
"""

# $1 the user, $2 the directory, $3 our mark, $4 what its units are named by. What bears our mark is gone, with its services.
_UNMAKE: Final = r"""
user=$1 root=$2 mark=$3 id=$4
[ -f "$mark" ] || { echo "nothing here was made by us"; exit 0; }
[ "$(cat -- "$mark")" = "$(printf '%s\n' "$user" "$root")" ] || { echo "What we made here was something else."; exit 1; }
if [ "$user" != root ] && id -u "$user" >/dev/null 2>&1; then
  [ "$(id -un)" != "$user" ] || { echo "We are logged in as $user."; exit 1; }
  # The home may outlive the user; then only its owner's number says that it was this user's.
  { id -u "$user" && eval "echo ~$user"; } >"$mark.home" || exit 1
  loginctl disable-linger "$user" 2>/dev/null
  loginctl terminate-user "$user" 2>/dev/null
  n=0
  while pgrep -u "$user" >/dev/null 2>&1 && [ "$n" -lt 100 ]; do
    n=$((n + 1))
    [ "$n" -lt 50 ] || pkill -KILL -u "$user"
    sleep 0.2 2>/dev/null || sleep 1
  done
  userdel --remove -- "$user" 2>&1 || exit 1
fi
if [ "$user" = root ]; then
  if cd /etc/systemd/system 2>/dev/null; then
    for unit in "$id".* "$id"-*; do
      [ -e "$unit" ] || [ -L "$unit" ] || continue
      systemctl disable --now -- "$unit" 2>/dev/null
      rm -rf -- "$unit"
    done
    systemctl daemon-reload
  fi
fi
# The home first: links in it could lead to what is somebody else's.
if [ -f "$mark.home" ]; then
  { read -r uid && read -r home; } <"$mark.home" || exit 1
  if [ -d "$home" ] && [ "$(stat -c %u -- "$home")" = "$uid" ]; then rm -rf -- "$home" || exit 1; fi
fi
rm -rf -- "$root" || exit 1
rm -f -- "$mark.home" "$mark" && rmdir -- "${mark%/*}" 2>/dev/null
true
"""

# $1 the user, $2 our mark. Whether we made the user, and nothing starts a service manager for it any more.
_HALF_GONE: Final = r"""
[ -f "$2" ] && [ "$1" != root ] && [ ! -e "/var/lib/systemd/linger/$1" ] && [ ! -S "/run/user/$(id -u "$1")/bus" ]
"""

MANAGER_SECONDS: Final = 60


class Place:
    """The place of one plan's instance."""

    def __init__(self, plan: ModulePlan, shell: Shell, calls: DetachedCalls) -> None:
        self._plan = plan
        self._shell = shell
        self._calls = calls
        self._mark = f"{plan.device.work_root}/instances/{plan.instance}/made"

    def make(self, context: Context) -> None:
        """User, service manager and empty directories are there, and bear our mark. StepFailed when others have them."""
        self._do(context, "make-place", _MAKE, str(MANAGER_SECONDS))

    def unmake(self, context: Context) -> None:
        """What we made for the instance is not on the device any more. What was there before us stays."""
        self._do(context, "unmake-place", _UNMAKE, self._plan.instance)

    def is_ours(self, context: Context) -> bool:
        """Whether we made the instance's user and directory."""
        return self._finds(context, ["test", "-f", self._mark])

    def is_half_gone(self, context: Context) -> bool:
        """Whether of what we made there is a user whose service manager is gone for good: an uninstall came only so far."""
        user = Account.known(self._plan.user)
        return self._finds(context, ["sh", "-c", _HALF_GONE, "sh", user, self._mark])

    def _finds(self, context: Context, look: Sequence[str]) -> bool:
        said = patiently(context, self._shell, lambda: self._shell.run(look, limit_seconds=30))
        return said.status == 0

    def _do(self, context: Context, word: str, script: str, *arguments: str) -> None:
        user, root = Account.known(self._plan.user), self._plan.install_dir
        command = ["sh", "-c", script, "sh", user, root, self._mark, *arguments]
        status, said = self._calls.timed(context, word, command=command, cwd="/", env={})
        if status:
            last = said.strip().rpartition("\n")[2] or f"it ended with status {status}"
            raise StepFailed(f"{word} failed: {last}", call=word, output=said)
