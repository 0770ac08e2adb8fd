"""What runs on a device to change the tree of a module's instance. POSIX shell, with coreutils or busybox.

The keeping place of an upgrade, `base`, lies below the tree, on the same file system: what is replaced is moved there and
not copied, so going back needs no room. Paths in lists are `./path` a line; directories end with `/`.

    stage/new/   the files to be put in place; stage/new.lst: their list, parents first
    stage/       old.lst: what the module had installed before; gone.lst: what of that is no longer required, files, then
                 directories, the deepest first; environment.patch: what is set (`KEY=value`) and what is removed (`KEY`)
    old/         what was replaced or removed; made.lst: directories that were made; gone.dirs: those removed, with modes
    environment  as it was; systemd/, units.tar: the instance's units as they were; state.tar: its state directory

All but STAGE runs as the instance's user, so that nothing in the tree leads further than that user may go.
"""

from __future__ import annotations

from typing import Final

# $1 a folder of ours, $2 base, then the words that make a command the instance's user's. All of it arrives, or it fails.
STAGE: Final = r"""
from=$1 base=$2
shift 2
sums='find . -type f -exec cksum {} + | LC_ALL=C sort | cksum; find . | wc -l'
"$@" sh -c 'umask 077; rm -rf -- "$1/stage"; mkdir -p -- "$1/stage"' sh "$base" || exit 1
tar -C "$from" -cf - . | "$@" tar -C "$base/stage" -xpof - || exit 1
sent=$(cd -- "$from" && eval "$sums") || exit 1
come=$("$@" sh -c 'cd -- "$1/stage" && eval "$2"' sh "$base" "$sums") || exit 1
[ "$sent" = "$come" ] || { echo "What arrived in $base is not what was sent."; exit 1; }
"""

# $1 base, $2 the base of the upgrade that is taken back: what that one replaced or removed is staged.
STAGE_KEPT: Final = r"""
stage=$1/stage kept=$2
rm -rf -- "$stage/new" && cp -a -- "$kept/old" "$stage/new" || exit 1
if [ -f "$kept/gone.dirs" ]; then
  while read -r mode path; do
    mkdir -p -- "$stage/new/$path" && chmod "$mode" "$stage/new/$path" || exit 1
  done <"$kept/gone.dirs"
fi
cd -- "$stage/new" || exit 1
{ find . -type d ! -path . | sed 's|$|/|'; find . ! -type d; } | LC_ALL=C sort >../new.lst
"""

# $1 the tree, $2 base, $3 what the units are named by (rootfull) or empty, $4 `yes` to keep the state directory too.
BACK_UP: Final = r"""
umask 077
root=$1 base=$2 id=$3
mkdir -p -- "$base/old" && cd -- "$root" || exit 1
if [ -f state/environment ]; then
  cp -p -- state/environment "$base/environment.part" && mv -f -- "$base/environment.part" "$base/environment" || exit 1
fi
rm -rf -- "$base/systemd"
if [ -d systemd ]; then cp -a -- systemd "$base/systemd" || exit 1; fi
if [ -n "$id" ]; then
  cd /etc/systemd/system || exit 1
  find . \( -name "$id" -o -name "$id.*" -o -name "$id-*" \) -prune -print | tar -cf "$base/units.tar" -T - || exit 1
  cd -- "$root" || exit 1
fi
if [ "$4" = yes ] && [ -d state ]; then tar -cf "$base/state.tar" state || exit 1; fi
sync
"""

_TREE: Final = r"""
root=$1 base=$2 stage=$2/stage old=$2/old
cd -- "$root" || exit 1
there() { [ -e "$1" ] || [ -L "$1" ]; }
fail() { echo "$*"; exit 1; }
# Once: what is there by the time of a second try is ours already.
aside() {
  if there "$old/$1"; then return 0; fi
  case $1 in */*) mkdir -p -- "$old/${1%/*}" || exit 1 ;; esac
  if [ -d "$1" ] && [ ! -L "$1" ]; then
    find "$1" -depth -type d -exec stat -c '%a %n' {} + >>"$base/gone.dirs" || exit 1
  fi
  mv -- "$1" "$old/$1" || fail "$1 cannot be moved away."
}
"""

# $1 the tree, $2 base. The staged files are in place, and what is no longer required is gone. Each file is moved, so it is
# there whole or not at all. What the module did not install stays, and refuses to be in the way.
SWAP: Final = (
    _TREE
    + r"""
local_in() {
  find "$1" ! -type d | while IFS= read -r file; do
    grep -qxF -- "$file" "$stage/old.lst" || { echo "$file"; break; }
  done
}
mkdir -p -- "$old" || exit 1
while IFS= read -r path; do
  case $path in
  */)
    path=${path%/}
    [ -d "$path" ] && [ ! -L "$path" ] && [ -z "$(ls -A -- "$path")" ] || continue
    printf '%s %s\n' "$(stat -c %a -- "$path")" "$path" >>"$base/gone.dirs" && rmdir -- "$path" || exit 1
    ;;
  *) if there "$path" && { [ -L "$path" ] || [ ! -d "$path" ]; }; then aside "$path"; fi ;;
  esac
done <"$stage/gone.lst"
while IFS= read -r path; do
  case $path in
  */)
    path=${path%/}
    # A link to a directory that somebody put in a directory's place is gone through; one that the module brought is replaced.
    if [ -d "$path" ] && { [ ! -L "$path" ] || ! grep -qxF -- "$path" "$stage/old.lst"; }; then continue; fi
    if there "$path"; then aside "$path"; fi
    printf '%s\n' "$path" >>"$base/made.lst"
    mkdir -- "$path" && chmod "$(stat -c %a -- "$stage/new/$path")" "$path" || exit 1
    ;;
  *)
    there "$stage/new/$path" || continue
    if [ -d "$path" ] && [ ! -L "$path" ]; then
      mine=$(local_in "$path")
      [ -z "$mine" ] || fail "$path would become a file, but $mine in it is not the module's."
    fi
    if there "$path"; then aside "$path"; fi
    mv -- "$stage/new/$path" "$path" || fail "$path cannot be put in place."
    ;;
  esac
done <"$stage/new.lst"
sync
"""
)

# $1 the tree, $2 base. All is where it was before SWAP, however far that came. What else somebody made meanwhile stays.
SWAP_BACK: Final = (
    _TREE
    + r"""
reversed() { sed '1!G;h;$!d' "$1" 2>/dev/null; }
[ -f "$stage/new.lst" ] || exit 0
while IFS= read -r path; do
  case $path in */) continue ;; esac
  if there "$path" && ! there "$stage/new/$path"; then
    mv -- "$path" "$stage/new/$path" || fail "$path cannot be taken away."
  fi
done <"$stage/new.lst"
reversed "$base/made.lst" | while IFS= read -r path; do
  [ -L "$path" ] || rmdir -- "$path" 2>/dev/null
done
reversed "$base/gone.dirs" | while read -r mode path; do
  [ -d "$path" ] || mkdir -p -- "$path" || exit 1
  chmod "$mode" "$path" || exit 1
done || exit 1
[ -d "$old" ] || exit 0
cd -- "$old" || exit 1
find . ! -type d | while IFS= read -r path; do
  case $path in */*) mkdir -p -- "$root/${path%/*}" || exit 1 ;; esac
  if [ -d "$root/$path" ] && [ ! -L "$root/$path" ]; then fail "$path is a directory now."; fi
  mv -f -- "$path" "$root/$path" || fail "$path cannot be put back."
done || exit 1
sync
"""
)

# $1 the tree, $2 base. The environment has what the patch sets, and not what it removes; the rest of it is as it was.
PATCH_ENVIRONMENT: Final = r"""
patch=$2/stage/environment.patch
mkdir -p -- "$1/state" && cd -- "$1/state" || exit 1
umask 077
exec 9>.environment.lock && flock -w 60 9 || { echo "Somebody else holds the environment's lock."; exit 1; }
mode=600
if [ -f environment ]; then mode=$(stat -c %a environment); else : >environment || exit 1; fi
awk -F= '
  NR == FNR { named[$1] = 1; if (index($0, "=")) print; next }
  /^#/ || !index($0, "=") { next }
  !($1 in named) { print }
' "$patch" environment >.environment.all && LC_ALL=C sort -s -t= -k1,1 .environment.all >.environment.new || exit 1
chmod "$mode" .environment.new && { sync -- .environment.new 2>/dev/null || sync; } || exit 1
mv -f -- .environment.new environment && rm -f -- .environment.all && { sync -- . 2>/dev/null || sync; }
"""

# $1 the tree, $2 the base that holds the environment to put back, byte for byte; if it holds none, there was none. A full
# file system has no room for a copy, but for another name of what is kept.
PUT_BACK_ENVIRONMENT: Final = r"""
[ -d "$1/state" ] || exit 0
cd -- "$1/state" || exit 1
umask 077
exec 9>.environment.lock && flock -w 60 9 || { echo "Somebody else holds the environment's lock."; exit 1; }
rm -f -- .environment.all .environment.new
if [ ! -f "$2/environment" ]; then rm -f -- environment; exit; fi
if [ "$2/environment" -ef environment ]; then exit; fi
cp -p -- "$2/environment" .environment.new 2>/dev/null || ln -f -- "$2/environment" .environment.new || exit 1
sync -- .environment.new 2>/dev/null || sync
mv -f -- .environment.new environment && { sync -- . 2>/dev/null || sync; }
"""

# $1 the tree, $2 the base whose units to put back, $3 what they are named by (rootfull) or empty, $4 `all`: exactly those; else
# what people have added since stays: drop-ins, and what is not a unit's own file.
PUT_BACK_UNITS: Final = r"""
root=$1 base=$2 id=$3
if [ "$4" = all ]; then
  rm -rf -- "$root/systemd.fleetwright" || exit 1
  if [ -d "$base/systemd" ] && ! cp -a -- "$base/systemd" "$root/systemd.fleetwright" 2>/dev/null; then
    rm -rf -- "$root/systemd.fleetwright" && cp -al -- "$base/systemd" "$root/systemd.fleetwright" || exit 1
  fi
  rm -rf -- "$root/systemd" || exit 1
  if [ -d "$base/systemd" ]; then mv -- "$root/systemd.fleetwright" "$root/systemd" || exit 1; fi
elif [ -d "$base/systemd" ]; then
  cd -- "$base/systemd" || exit 1
  find . -type l -path '*.wants/*' | while IFS= read -r link; do
    if [ -e "$root/systemd/$link" ] || [ -L "$root/systemd/$link" ]; then continue; fi
    mkdir -p -- "$root/systemd/${link%/*}" && cp -a -- "$link" "$root/systemd/$link" || exit 1
  done || exit 1
fi
if [ -n "$id" ] && [ -f "$base/units.tar" ]; then
  cd /etc/systemd/system || exit 1
  what='! -name *.d'
  [ "$4" != all ] || what='-name *'
  set -f
  find . \( -name "$id" -o -name "$id.*" -o -name "$id-*" \) $what -prune -exec rm -rf -- {} + || exit 1
  tar -xpf "$base/units.tar" || exit 1
fi
sync
"""

# $1 the tree, $2 the base whose state directory to put back.
PUT_BACK_STATE: Final = r"""
[ -f "$2/state.tar" ] || exit 0
cd -- "$1" || exit 1
rm -rf -- state.fleetwright && mkdir state.fleetwright && tar -C state.fleetwright -xpf "$2/state.tar" || exit 1
rm -rf -- state && mv -- state.fleetwright/state state && rmdir -- state.fleetwright && sync
"""

# $1 where the bases are; of the others, which are names in it, nothing is left.
FORGET: Final = r"""
cd -- "$1" 2>/dev/null || exit 0
shift
for name; do rm -rf -- "./$name" || exit 1; done
cd .. && rmdir -- .fleetwright 2>/dev/null
true
"""

# $1 a path, $2 how many bytes of it are read at most. Nothing where there is no file.
READ: Final = r"""
[ -f "$1" ] || exit 0
head -c "$2" -- "$1"
"""
