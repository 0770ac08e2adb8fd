"""What runs on the device while an Update Module is asked to download: the payload, served to it through named pipes.

The payload lies on the device already, whole and with every checksum right. A feeder beside the module serves it as Mender's
Update Modules v3 protocol has it: `stream-next` gives one line for each file, `streams/<name>` that file's bytes, and a last
`stream-next` gives nothing. A module that never opens `stream-next` finds the files in `files/` afterwards, by one rename.
One that begins to read has to read it all. Every pipe is there before the module starts: the feeder is killed as soon as the
module ends, and nothing that it began may then come into being.

The file `read` beside the tree says how far the module came: it is written after a pipe was opened at both ends, and before
the reader can see its end. So it is never behind what the module itself knows. A module that closes a pipe too early is told
that there is no more, so that it ends instead of waiting for ever.
"""

from __future__ import annotations

from typing import Final

PAYLOAD: Final = "payload"
"""The folder beside the tree that holds the payload's files until the module has seen them."""

LIST: Final = "payload.list"
"""The file beside the tree with a line "name size" for each file of the payload, in the artifact's order."""

# $1 the folder of all this, $2 whether the module wants to hear sizes, then the module's call.
DOWNLOAD: Final = r"""
home=$1 sizes=$2
shift 2
cd "$home/tree" && rm -rf stream-next streams files ../read && mkfifo stream-next && mkdir streams || {
  echo "The device cannot make named pipes in $home/tree."
  exit 1
}
while IFS=' ' read -r name size; do
  mkfifo "streams/$name" || exit 1
done <../payload.list
feed() {
  trap '' PIPE
  while IFS=' ' read -r name size; do
    exec 3>stream-next
    echo "not $name" >../read
    if [ "$sizes" = Yes ]; then line="streams/$name $size"; else line=streams/$name; fi
    echo "$line" >&3
    served=$?
    exec 3>&-
    [ "$served" -eq 0 ] || break
    exec 3>"streams/$name"
    cat <"../payload/$name" >&3
    served=$?
    exec 3>&-
    [ "$served" -eq 0 ] || break
  done <../payload.list
  exec 3>stream-next
  [ "${served-0}" -ne 0 ] || echo all >../read
  exec 3>&-
}
feed &
feeder=$!
"$@"
status=$?
kill -s KILL "$feeder" 2>/dev/null
wait "$feeder" 2>/dev/null
rm -rf stream-next streams
[ "$status" -eq 0 ] || exit "$status"
read=
[ ! -e ../read ] || read=$(cat ../read)
case $read in
  all) rm -rf ../payload ;;
  '') rm -f ../payload/.fleetwright-*.part && mv ../payload files ;;
  *)
    echo "The Update Module began to read the payload's streams, and ended before it had read them all: ${read#not } was next."
    exit 1
    ;;
esac
"""
