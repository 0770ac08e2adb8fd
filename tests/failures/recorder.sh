#!/bin/sh
# An Update Module that writes down every call, and does what the artifact's meta-data says:
#   fail, wait: words of calls that end with status 3, wait for the file `go`; rollback, reboot: the answers to the two queries
word=$1 tree=$2 root=$FLEETWRIGHT_ROOT

listed() {
  case " $(value "$1") " in *" $word "*) return 0 ;; esac
  return 1
}
value() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$tree/header/meta-data"; }

# A process that was killed and not waited for has an empty command line.
if [ -e "$root/running" ] && grep -q . "/proc/$(cat "$root/running")/cmdline" 2>/dev/null; then
  touch "$root/overlapped"
fi
echo "$$" >"$root/running"
printf 'start %s %s\n' "$word" "$$" >>"$root/log"
if listed wait; then
  while [ ! -e "$root/go" ]; do sleep 0.02; done
fi
if listed fail; then
  echo "$word says no"
  printf 'end %s %s\n' "$word" "$$" >>"$root/log"
  exit 3
fi
case $word in
  SupportsRollback) value rollback ;;
  NeedsArtifactReboot) value reboot ;;
  ArtifactInstall) cp "$tree/files/payload" "$root/installed" ;;
  ArtifactRollback) rm -f "$root/installed" ;;
esac
printf 'end %s %s\n' "$word" "$$" >>"$root/log"
