"""The watchdog is killed at every file that its journal touches: what is there then is whole, and the next one goes on."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.watchdog.records import held, new_folder, new_record, stored
from updates.machine import HAPPY_PATH, Event
from updates.watchdog.folder import Folder
from updates.watchdog.journal import FileJournal
from updates.watchdog.record import ARROW, Record

TOUCHES = ("open", "os.rename", "os.remove")


def walk(book: FileJournal) -> None:
    """What a recipe does in a few states."""
    for _ in range(2):
        book.remember("found", book.state.value)
        book.output("pull", b"some output")
        book.take(Event.DONE)


def killed_at(number: int, folder: Folder, upgrade: str) -> bool:
    """Whether a watchdog of its own process died at the file that it touched as that number."""
    pid = os.fork()
    if pid == 0:
        left = [number]

        def hear(event: str, _arguments: object) -> None:
            if event in TOUCHES:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            book = held(folder, upgrade)
            sys.addaudithook(hear)
            walk(book)
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def require_whole(record: Record) -> None:
    """What a record says of itself is what its history says."""
    arrows = [one for one in record.events if one.kind == ARROW]
    assert arrows[-1].to_state == record.state
    assert arrows[-1].seq == record.state_seq
    assert [one.to_state for one in arrows] == list(HAPPY_PATH[: len(arrows)])


def test_whatever_it_dies_at_the_record_is_whole_and_the_next_goes_on(tmp_path: Path) -> None:
    number, states = 0, set()
    while True:
        number += 1
        place = tmp_path / str(number)
        place.mkdir()
        folder = new_folder(place)
        upgrade = new_record(folder).upgrade
        died = killed_at(number, folder, upgrade)
        record = stored(folder, upgrade)
        require_whole(record)
        states.add(record.state)
        book = held(folder, upgrade)
        while book.state != "finished":
            book.take(Event.DONE)
        require_whole(stored(folder, upgrade))
        assert stored(folder, upgrade).outcome == "succeeded"
        if not died:
            break

    assert number > 20, "it was hardly ever killed"
    assert states == {"pending", "checking", "backing_up"}
