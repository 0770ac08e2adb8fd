"""What runs on a device for the backups of containers' data. POSIX shell, with coreutils or busybox, any tar, gzip.

In the directory of backups, whose names are of `updates.formats.backup_file`:

    NAME, NAME.sha256     a backup that is whole, and its sum
    .NAME.part/           one that is being written: archive, sum, members; also the following, where no stage is named
                          apart: piece-NNN, what stands in the tar before the data; produce.sh, what writes the data

In a volume, while one is put back (so on its file system, and nothing is copied twice):

    .upgrade-restore/new/         its contents, unpacked; `whole` names the backup, once all of it is there
    .upgrade-restore/old/         what was there, moved away; `out` says that all of it is
    .upgrade-restore/emptied      there was no room beside what was there, so that is gone already
    .upgrade-gone/                a .upgrade-restore of which nothing is needed any more

The volume may be another user's, who can put anything under these names: only what whoever runs this has made is gone by.
"""

from __future__ import annotations

from typing import Final

from devices.drivers.far_side import FLUSH

NAME_TAKEN: Final = 3
NO_ROOM: Final = 4

# $1 the directory, $2 the name, $3 how a name begins that may have lain there before us.
CLAIM: Final = r"""
umask 077
mkdir -p -- "$1" && cd -- "$1" || exit 1
others=$(find . ! -name . ! -name "$3*" ! -name ".$3*" -prune -print | head -n 1)
[ -n "$others" ] || chmod 700 . || exit 1
if [ -e "$2" ] || [ -L "$2" ]; then exit 3; fi
mkdir -- ".$2.part" 2>/dev/null || { [ ! -e ".$2.part" ] || exit 3; exit 1; }
"""

# $1 the directory, $2 the name, $3 the stage: what is run lies there, for the directory may be another user's.
# The pieces, the data and the end mark become a backup, read back before it gets its name.
WRITE: Final = (
    FLUSH
    + r"""
umask 077
export LC_ALL=C
directory=$1 name=$2 stage=${3:-$1/.$2.part}
fail() { echo "$*"; rm -f -- archive members "$stage/database"; exit 1; }
if [ -f "$directory/$name" ]; then exit 0; fi
cd -- "$directory/.$name.part" || exit 1
part=$PWD
rm -f -- archive members sum "$stage/produced"
set -C # nothing that somebody else has put here is written to
fast=
if gzip -1 </dev/null >/dev/null 2>&1; then fast=-1; fi
{ cat "$stage"/piece-* && sh "$stage/produce.sh" "$stage"; echo "$?" >|"$stage/produced"; } | gzip $fast >archive ||
  fail "The copy cannot be written."
[ "$(cat "$stage/produced")" = 0 ] || fail "The data cannot be copied."
flush archive
gzip -t archive || fail "The copy cannot be read back."
# tar ends at the end mark: what follows is read all the same, or gzip could not write it, and fail.
{ gzip -dc archive; echo "$?" >|"$stage/produced"; } | { tar -tf - >members && cat >/dev/null; } ||
  fail "The copy is no whole tar."
[ "$(cat "$stage/produced")" = 0 ] || fail "The copy cannot be unpacked."
[ "$(head -n 1 members)" = .fleetwright/backup.json ] || fail "The copy does not begin as it should."
sum=$(sha256sum <archive) || exit 1
printf '%s  %s\n' "${sum%% *}" "$name" >sum || exit 1
chmod 600 archive sum && mv -f -- sum "$directory/$name.sha256" && mv -f -- archive "$directory/$name" || exit 1
flush "$directory"
cd / && rm -rf -- "$part" "$stage"
"""
)

# $1 a backup. It is what its sum says, if it has one, and it is whole.
VERIFY: Final = r"""
export LC_ALL=C
file=$1
fail() { echo "$*"; exit 1; }
[ -f "$file" ] && [ -r "$file" ] || fail "$file is not there."
if [ -f "$file.sha256" ]; then
  read -r wanted rest <"$file.sha256"
  sum=$(sha256sum <"$file") || exit 1
  [ "${sum%% *}" = "$wanted" ] || fail "$file is not the file that was written: its sum is another one."
fi
gzip -t "$file" 2>/dev/null || fail "$file is damaged: it is no whole gzip."
gzip -dc -- "$file" | tar -tf - >/dev/null || fail "$file is damaged: it is no whole tar."
"""

# swap PLACE FROM WALKED: what is unpacked below .upgrade-restore/new/FROM takes the place of what is in PLACE. WALKED are
# directories on the way to one that stays, a line each from the top, then that one; empty if none does.
_SWAP: Final = (
    FLUSH
    + r"""
# All that was written below that directory is on the disk.
settle() { sync -f "$1" 2>/dev/null || sync; }
umask 077
export LC_ALL=C
fail() { echo "$*"; exit 1; }
there() { [ -e "$1" ] || [ -L "$1" ]; }
work=.upgrade-restore
# Whether nobody else has made it, or can write there, and nothing in it leads elsewhere.
is_ours() {
  [ -d $work ] && [ "$(stat -c %u -- $work)" = "$(id -u)" ] || return 1
  case $(stat -c %a -- $work) in *00) ;; *) return 1 ;; esac
  for entry in $work $work/*; do [ ! -L "$entry" ] || return 1; done
  [ -f $work/prefix ] || return 0
  case $(cat $work/prefix) in .. | */*) return 1 ;; esac
}
# What lies here under the name of our work is our work, or is gone.
only_ours() { ! there $work || is_ours || rm -rf -- $work; }
stays() {
  case $1 in ./.upgrade-* | ./.fleetwright) return 0 ;; esac
  [ -n "$walked" ] || return 1
  printf '%s\n' "$walked" | grep -qxF -- "$1"
}
# Moves all in directory $2 of $1 to the same directory of $3, but what stays.
move() {
  for way in "$1" "$1/$2" "$3" "$3/$2"; do [ ! -L "$way" ] || fail "$way is a link."; done
  for entry in "$1/$2"/* "$1/$2"/.[!.]* "$1/$2"/..?*; do
    there "$entry" || continue
    stays "$2/${entry##*/}" && continue
    mkdir -p -- "$3/$2" && mv -f -- "$entry" "$3/$2/" || fail "$entry cannot be moved."
  done
}
on_the_way() { printf '%s\n' . ; [ -z "$walked" ] || printf '%s\n' "$walked" | sed '$d'; }
as_in() {
  [ -d "$2/$1" ] || return 0
  chown "$(stat -c %u:%g -- "$2/$1")" "$1" && chmod "$(stat -c %a -- "$2/$1")" "$1" && touch -r "$2/$1" "$1"
}
swap() {
  cd -- "$1" && only_ours || exit 1
  from=$work/new/$2 walked=$3
  [ -f $work/whole ] || fail "There is nothing unpacked in $1."
  if [ ! -e $work/out ]; then
    on_the_way | while IFS= read -r way; do move . "$way" $work/old || exit 1; done || exit 1
    : >$work/out || exit 1
  fi
  on_the_way | while IFS= read -r way; do move "$from" "$way" . || exit 1; done || exit 1
  on_the_way | sed '1!G;h;$!d' | while IFS= read -r way; do as_in "$way" "$from" || exit 1; done || exit 1
  settle .
  rm -rf -- .upgrade-gone && mv -- $work .upgrade-gone && rm -rf -- .upgrade-gone
}
"""
)

# $1 the backup, $2 its sum, $3 the volume's place, $4 its prefix, $5 WALKED. The contents are unpacked beside what is there.
# What a crash left of another one's restore is ended first. NO_ROOM when there is none; what was there is untouched.
UNPACK: Final = (
    _SWAP
    + r"""
file=$1 sum=$2 place=$3 prefix=$4 walked=$5
cd -- "$place" || exit 1
rm -rf -- .upgrade-gone && only_ours || exit 1
if [ -f $work/whole ]; then
  [ "$(cat $work/whole)" != "$sum" ] || exit 0
  if [ -e $work/old ] || [ -e $work/out ] || [ -e $work/emptied ]; then
    before=$(cat $work/prefix)
    swap "$place" "$before" "$walked"
    cd -- "$place" || exit 1
  fi
fi
emptied=
if [ -e $work/emptied ]; then emptied=yes; fi
rm -rf -- $work/new $work/whole || exit 1
what=$prefix
if [ "$prefix" = . ]; then what=; fi
# What went wrong is told by words: on a full file system there is no room for a file that says so.
said=$({
  mkdir -p -- $work/new && { gzip -dc -- "$file" || echo 'not unpacked' >&2; } |
    { tar -C $work/new --numeric-owner -xpf - $what && cat >/dev/null; } || echo 'not unpacked' >&2
} 2>&1)
case $said in
*'not unpacked'*)
  printf '%s\n' "$said"
  rm -rf -- $work/new
  [ -n "$emptied" ] || rm -rf -- $work
  if printf '%s' "$said" | grep -qE 'No space left|Disk quota|Wrote only|short write'; then exit 4; fi
  fail "The backup cannot be unpacked beside what is in $place."
  ;;
esac
[ "$prefix" != . ] || rm -rf -- $work/new/.fleetwright || exit 1
on_the_way | while IFS= read -r way; do
  new=$work/new/$prefix/$way
  ! there "$new" || { [ -d "$new" ] && [ ! -L "$new" ]; } ||
    fail "$way is no directory in the backup, and backups lie there now."
done || exit 1
settle .
printf '%s\n' "$prefix" >$work/prefix && printf '%s\n' "$sum" >$work/whole.new || exit 1
flush $work/prefix $work/whole.new
mv -f -- $work/whole.new $work/whole && flush $work
"""
)

# $1 the volume's place, $2 WALKED. What is in it is gone, but what stays: there is no room beside it.
EMPTY: Final = (
    _SWAP
    + r"""
walked=$2
cd -- "$1" && only_ours || exit 1
mkdir -p -- $work && : >$work/emptied && flush $work || exit 1
on_the_way | while IFS= read -r way; do
  for entry in "$way"/* "$way"/.[!.]* "$way"/..?*; do
    there "$entry" || continue
    stays "$way/${entry##*/}" && continue
    rm -rf -- "$entry" || exit 1
  done
done
"""
)

# $1 the volume's place, $2 its prefix, $3 WALKED.
SWAP: Final = _SWAP + 'swap "$1" "$2" "$3"\n'

# $1 the backup, $2 a directory of ours: the dumps of the backup lie in it.
UNPACK_DUMPS: Final = r"""
umask 077
mkdir -p -- "$2" && cd -- "$2" || exit 1
{ gzip -dc -- "$1"; echo "$?" >unzipped; } | { tar -xpf - .fleetwright/dumps && cat >/dev/null; } || exit 1
[ "$(cat unzipped)" = 0 ]
"""

# $1 a path: with its links resolved, as far as it is there.
RESOLVE: Final = r"""
path=$1 rest=
while [ ! -d "$path" ] && [ "$path" != / ] && [ -n "$path" ]; do rest=/${path##*/}$rest path=${path%/*}; done
cd -P -- "${path:-/}" || exit 1
here=$(pwd -P; echo .)
here=${here%??}
printf '%s' "${here%/}$rest"
"""

# $1 the directory: what may be backups in it, a line each: sum or `-`, size, time, name. Links and the like are none.
LIST: Final = r"""
cd -- "$1" 2>/dev/null || exit 0
for file in *.tar.gz; do
  [ -f "$file" ] && [ ! -L "$file" ] || continue
  sum=-
  if [ -f "$file.sha256" ]; then read -r sum rest <"$file.sha256"; fi
  printf '%s ' "$sum"
  stat -c '%s %Y %n' -- "$file" || exit 1
done
"""

# $1 the directory, then names: these backups are gone. Nor is there anything of a copy that nobody has gone on with for a day.
REMOVE: Final = r"""
cd -- "$1" 2>/dev/null || exit 0
shift
for name; do rm -f -- "./$name" "./$name.sha256" || exit 1; done
find . ! -name . -prune -type d -name '.upgrade-backup-*.part' -mtime +0 -exec rm -rf {} \;
"""
