"""What runs on the device for a detached step. `steps` says what it is for; the words and statuses are agreed on here.

Below a holder's work root:

    fence.lock               taken for every decision: who may act, and whether a step has begun
    fence-<upgrade>          the highest fence number seen for this upgrade
    step.lock                held by a step's wrapper as long as its command runs; one step at a time on a device
    step.holder              which step took step.lock last
    <upgrade>/steps/<key>/   boot_id, pid ("<pid> <start time>"), out, status, and killed.<reason>

Why a step can never run twice. The wrapper's first deed is to record its pid, while the starter's fence.lock is still held:
the wrapper has inherited the open lock, so it stays held even if the starter is killed. Whoever gets fence.lock therefore
sees either a pid (the step began) or none and nobody who could still write one (it never ran).

Why a status is never false. The wrapper writes it down after its command has ended. If it was told to end itself and not
by us (killed.<reason> is absent), the device is going down, and what the command died of says nothing: nothing is written.
The room for the status is taken before the command starts, for a step that fails because the disk is full.
"""

from __future__ import annotations

from devices.drivers.far_side import END_SESSION, FLUSH

STALE = 90
BUSY = 91
NOT_BEGUN = 92

# $1 the step's directory. fd 9 is fence.lock, fd 8 step.lock, the input is the command's text, closed by "# whole".
WRAPPER = (
    FLUSH
    + r"""
cd "$1" || exit 1
text=$(cat)
case $text in *'
# whole') ;; *) exit 1 ;; esac
exec </dev/null
IFS= read -r s </proc/$$/stat || exit 1
set -- ${s##*) }
printf '                \n' >status.new && printf '%s %s\n' "$$" "${20}" >pid.new || exit 1
flush status.new pid.new && mv -f pid.new pid && flush pid . .. ../.. ../../.. || exit 1
exec 9>&- 2>/dev/null # the shell's own remark that the command was killed is none of its output
told=
trap 'told=yes' TERM HUP INT
( trap - TERM HUP INT; exec 8>&- 2>&1; eval "$text" )
r=$?
exec 8>&-
printf '%-15s\n' "$r" 1<>status.new
flush status.new out
if [ -n "$told" ] && [ ! -e killed.limit ] && [ ! -e killed.asked ]; then exit 1; fi
mv -f status.new status && flush .
"""
)

# Arguments of all that follow: root upgrade key fence. Afterwards $d is the step's directory.
_STEP = r"""
lc=${LC_ALL-none}
export LC_ALL=C
root=$1 upgrade=$2 key=$3 fence=$4
d=$root/$upgrade/steps/$key
"""

# Takes fence.lock on fd 9 and raises the fence, or refuses.
_FENCED = (
    _STEP
    + FLUSH
    + r"""
mkdir -p -- "$root" && chmod 700 "$root" && mkdir -p -- "$root/$upgrade/steps" || exit 1
exec 9>>"$root/fence.lock" || exit 1
flock 9 || exit 1
f=$root/fence-$upgrade held=0
[ ! -e "$f" ] || IFS= read -r held <"$f" || exit 1
[ "$held" -le "$fence" ] || exit 90
if [ "$held" -lt "$fence" ]; then
  printf '%s\n' "$fence" >"$f.new" && flush "$f.new" && mv -f "$f.new" "$f" && flush "$root" || exit 1
fi
"""
)

_REPORT = r"""
known() {
  IFS=' ' read -r pid start <"$d/pid" && IFS= read -r s <"/proc/$pid/stat" || return 1
  set -- ${s##*) }
  state=$1
  [ "${20}" = "$start" ]
} 2>/dev/null
alive() { known && [ "$state" != Z ] && [ "$state" != X ]; }
report() {
  what=new r=- size=0 boot=- killed=-
  if [ -e "$d/pid" ]; then
    what=gone
    if alive; then what=running; fi
    if [ -e "$d/status" ]; then what=ended; IFS=' ' read -r r <"$d/status"; fi
    size=$(stat -c %s "$d/out")
    IFS= read -r boot <"$d/boot_id"
    [ ! -e "$d/killed.asked" ] || killed=asked
    [ ! -e "$d/killed.limit" ] || killed=limit
  fi
  printf 'report %s %s %s %s %s\n' "$what" "$r" "$size" "$boot" "$killed"
}
"""

INSPECT = _STEP + _REPORT + "report\n"

# ... boot_id wrapper; the input is the command's text.
START = (
    r"""
text=$(cat)
case $text in *'
# whole') ;; *) exit 1 ;; esac
"""
    + _FENCED
    + _REPORT
    + r"""
[ ! -e "$d/pid" ] || { report; exit 0; }
exec 8>>"$root/step.lock" || exit 1
if ! flock -n 8; then
  IFS= read -r holder <"$root/step.holder"
  printf 'busy %s\n' "$holder"
  exit 91
fi
mkdir -p -- "$d" && rm -f -- "$d"/* && : >"$d/out" && printf '%s\n' "$5" >"$d/boot_id" &&
  printf '%s\n' "$upgrade/$key" >"$root/step.holder" || exit 1
{
  exec 8>&- 9>&-
  printf '%s\n' "$text"
} | (
  if [ "$lc" = none ]; then unset LC_ALL; else LC_ALL=$lc; fi
  exec setsid sh -c "$6" sh "$d"
) >>"$d/out" 2>&1 &
exec 8>&- 9>&-
exec 9>>"$root/fence.lock"
flock 9 || exit 1
[ -e "$d/pid" ] || { cat "$d/out"; exit 92; }
report
"""
)

# ... offset. Writes what `out` holds from there on, as it grows, until the step has ended or is gone. Most steps are short,
# so it looks often at first.
FOLLOW = (
    _STEP
    + _REPORT
    + r"""
off=$5
naps='0.01 0.02 0.04 0.08 0.2'
f=$root/fence-$upgrade
while :; do
  IFS= read -r held <"$f" || held=0
  [ "$held" -le "$fence" ] || exit 90
  over=
  if [ -e "$d/status" ] || ! alive; then over=yes; fi
  size=$(stat -c %s "$d/out") || exit 1
  if [ "$size" -gt "$off" ]; then
    tail -c "+$((off + 1))" "$d/out" | head -c "$((size - off))" || exit 1
    off=$size
  fi
  [ -z "$over" ] || exit 0
  sleep "${naps%% *}" 2>/dev/null || sleep 1
  naps=${naps#* }
done
"""
)

# ... boot_id tenths reason ("" for none). Also what a wrapper left behind when it ended is killed, unless its pid, which
# is the session's number, belongs to somebody else by now.
KILL = (
    _FENCED
    + _REPORT
    + END_SESSION
    + r"""
[ -e "$d/pid" ] || exit 0
IFS= read -r boot <"$d/boot_id"
[ "$boot" = "$5" ] || exit 0
[ -z "$7" ] || [ -e "$d/status" ] || : >"$d/killed.$7"
exec 9>&-
if known || [ ! -e "/proc/$pid" ]; then end_session "$pid" "$6"; fi
"""
)
