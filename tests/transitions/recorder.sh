#!/bin/sh
# An Update Module that writes down every call and does what the artifact's meta-data says. Words of calls, each for every
# time or ("word@2") for the second time only:
#   fail, hang: ends with status 3, never ends; cut: the power goes, and comes back. rollback, reboot: answers to the queries
#   full, flood: fills the disk (it has to be smaller than ROOM) and fails; does all it should, and says too much for the disk
word=$1 tree=$2 root=$FLEETWRIGHT_ROOT
ROOM=67108864
IFS= read -r meta <"$tree/header/meta-data"

value() {
  text=${meta#*\""$1"\": \"}
  [ "$text" != "$meta" ] || text='"'
  text=${text%%\"*}
}
listed() {
  value "$1"
  case " $text " in *" $word "* | *" $word@$nth "*) return 0 ;; esac
  return 1
}

echo "$word" >>"$root/log"
nth=0
while read -r line; do [ "$line" != "$word" ] || nth=$((nth + 1)); done <"$root/log"
if listed cut; then
  if [ -e "$root/boot_id" ]; then
    cat /proc/sys/kernel/random/uuid >"$root/boot_id"
    kill -s KILL 0
  fi
  touch "$root/cut-now" # this device has real power, and somebody at its plug
  exec sleep 600
fi
if listed hang; then exec sleep 600; fi
if listed fail; then echo "$word says no" >&2; exit 3; fi
if listed full; then head -c "$ROOM" /dev/zero >>"${tree%/*/*}/fill"; exit 3; fi
case $word in
  SupportsRollback) value rollback; echo "$text" ;;
  NeedsArtifactReboot) value reboot; echo "$text" ;;
  ArtifactInstall) cp "$tree/files/payload" "$root/installed" ;;
  ArtifactRollback) rm -f "$root/installed" ;;
esac
if listed flood; then head -c "$ROOM" /dev/zero; fi
exit 0
