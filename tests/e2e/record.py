"""What an Update Module that keeps a record did, in the order in which it did it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RECORDING_MODULE = """#!/bin/sh
# Copies the payload's files to the device's /var/www, slowly, and keeps a record of every call.
set -e
state="$1"; files="$2"; www="$FLEETWRIGHT_ROOT/var/www"; record="$FLEETWRIGHT_ROOT/record"
case "$state" in
    SupportsRollback) echo Yes; exit 0 ;;
    Download|ArtifactInstall|ArtifactCommit|ArtifactRollback|ArtifactFailure|Cleanup) ;;
    *) exit 0 ;;
esac
echo "start $state $$" >> "$record"
echo "$state is at work"
case "$state" in
    ArtifactInstall)
        mkdir -p "$www"
        (cd "$www" && tar -cf "$files/tmp/before.tar" .)
        rm -rf "$www"; mkdir -p "$www"
        cp "$files"/files/* "$www"
        sleep "$(cat "$FLEETWRIGHT_ROOT/seconds" 2>/dev/null || echo 0)"
        if [ -e "$FLEETWRIGHT_ROOT/fails" ]; then
            echo "this device fails on purpose" >&2
            echo "end $state $$" >> "$record"
            exit 1
        fi ;;
    ArtifactRollback)
        rm -rf "$www"; mkdir -p "$www"
        tar -xf "$files/tmp/before.tar" -C "$www" ;;
esac
echo "end $state $$" >> "$record"
"""


@dataclass(frozen=True, slots=True)
class Line:
    mark: str
    state: str
    pid: str


def read_record(root: Path) -> list[Line]:
    return [Line(*line.split()) for line in (root / "record").read_text().splitlines()]


def overlaps(record: list[Line]) -> list[Line]:
    """Calls that began while another one was still at work: there must be none."""
    found: list[Line] = []
    running: Line | None = None
    for line in record:
        if line.mark == "end":
            running = None
        elif running is not None:
            found.append(line)
        else:
            running = line
    return found


def calls(record: list[Line]) -> list[str]:
    return [line.state for line in record if line.mark == "start"]
