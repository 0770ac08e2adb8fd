"""What runs on the device: POSIX shell, with coreutils or busybox, setsid, and a Linux /proc. Nothing is installed there.

How a command gets there. SSH carries one string, which the login's shell reads; so that string is always the same
(`BOOT_WORDS`), and the command itself follows on standard input, after the device has said which session it leads. Thus
nothing runs before we know how to kill it, no environment ever shows in a list of processes, and whatever a login's profile
prints before the greeting is dropped.

Statuses over 128 are read as "killed by that signal minus 128", as every shell says it.
"""

from __future__ import annotations

GREETING = b"fleetwright begins"

# Sets `members` to the living processes of session $1. Builtins read byte by byte, and there may be hundreds of processes: so
# `grep` finds those in question, and is gone when it is their turn. For no process of ours may show up in the list.
LIST_SESSION = r"""
list_session() {
  members=
  maybe=$(LC_ALL=C grep -lF " $1 " /proc/[0-9]*/stat 2>/dev/null)
  case $? in 0 | 1 | 2) ;; *) maybe='/proc/[0-9]*/stat' ;; esac
  for f in $maybe; do
    IFS= read -r s <"$f" || continue
    pid=${f#/proc/}
    set -- "$1" ${s##*) }
    [ "$5" = "$1" ] || continue
    case $2 in Z | X) continue ;; esac
    members="$members ${pid%/stat}"
  done 2>/dev/null
}
nap() { sleep 0.1 2>/dev/null || sleep 1; }
"""

# $1 is the program text for the session's leader. A process group's leader cannot become a session's leader without a
# fork that loses its exit status, and OpenSSH has made us one already; Dropbear has not.
_BOOT = r"""
IFS= read -r s </proc/$$/stat || exit 125
set -- "$1" ${s##*) }
[ "$4" = "$$" ] || exec setsid sh -c "$1" sh
eval "$1"
"""

# The leader stays until its command has ended, and then sweeps up what that left behind in the session.
_LEADER = (
    LIST_SESSION
    + r"""
printf '\n%s %s\n' '"""
    + GREETING.decode()
    + r"""' "$$"
IFS= read -r n || exit 125
c=
while [ "$n" -gt 0 ]; do
  IFS= read -r l || exit 125
  c="$c$l
"
  n=$((n - 1))
done
( eval "$c" )
r=$?
n=0
while [ "$n" -lt 20 ]; do
  list_session "$$"
  left=
  for pid in $members; do [ "$pid" = "$$" ] || left="$left $pid"; done
  [ -n "$left" ] || break
  kill -s KILL $left 2>/dev/null
  n=$((n + 1))
  [ "$n" -eq 1 ] || nap
done
exit "$r"
"""
)

BOOT_WORDS = ("sh", "-c", _BOOT, "sh", _LEADER)

# end_session SID TENTHS: TERM once for each, newcomers too; then KILL for all but the leader, which may want to write down
# how its command ended; then KILL for all. True when nobody is left.
END_SESSION = (
    LIST_SESSION
    + r"""
emptied() {
  n=0
  while list_session "$1"; [ -n "$members" ]; do
    [ "$n" -lt "$2" ] || return 1
    for pid in $members; do
      case $told in *" $pid "*) continue ;; esac
      kill -s TERM "$pid" 2>/dev/null
      told="$told$pid "
    done
    n=$((n + 1))
    nap
  done
}
end_session() {
  told=' '
  emptied "$1" "$2" && return 0
  for pid in $members; do [ "$pid" = "$1" ] || kill -s KILL "$pid" 2>/dev/null; done
  emptied "$1" 20 && return 0
  n=0
  while [ "$n" -lt 50 ]; do
    kill -s KILL $members 2>/dev/null
    nap
    list_session "$1"
    [ -n "$members" ] || return 0
    n=$((n + 1))
  done
  return 1
}
"""
)

KILL_SESSION = END_SESSION + 'end_session "$1" "$2"\n'

# busybox builds may have a `sync` that takes no names; then everything is synced.
FLUSH = r"""
flush() { sync -- "$@" 2>/dev/null || sync; }
"""
