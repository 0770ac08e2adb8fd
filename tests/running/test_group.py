"""The supervisor by itself, with programs that do what a test needs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.supervisor import child, group, question
from portal.supervisor.errors import CannotStart
from portal.supervisor.group import Group
from portal.supervisor.lock import only_group_in
from portal.supervisor.program import Program
from portal.supervisor.question import StopQuestion
from tests.environment.waiting import wait_until

PATIENCE_SECONDS = 60
OBEDIENT = 'trap "echo bye; exit 0" TERM; echo hello; while :; do sleep 0.05; done'
STUBBORN = 'trap "echo no" TERM; echo hello; while :; do sleep 0.05; done'


class Screen:
    """What the group wrote, and a person who waits for something there and then sends signals."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def write(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def when(self, condition: Callable[[], bool], *numbers: signal.Signals) -> threading.Thread:
        def watch() -> None:
            for number in numbers:
                wait_until(condition, seconds=PATIENCE_SECONDS, what="what the person waits for")
                os.kill(os.getpid(), number)
                time.sleep(0.3)  # two signals at the same moment are one

        person = threading.Thread(target=watch)
        person.start()
        return person

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.lines if who == name]


def _run(
    screen: Screen, *ranks: list[Program], on_ready: Callable[[], None] = lambda: None
) -> None:
    Group(
        ranks,
        folder=Path("/"),
        inherited=[],
        write=screen.write,
        on_ready=on_ready,
        question=StopQuestion(lambda: None),
    ).run()


def _program(name: str, script: str, *, grace: float = PATIENCE_SECONDS) -> Program:
    return Program(name=name, command=("sh", "-c", script), grace_seconds=grace)


def test_ranks_start_one_after_the_other_and_stop_in_the_opposite_order() -> None:
    screen = Screen()
    is_first_ready = threading.Event()
    first = Program("first", ("sh", "-c", OBEDIENT), PATIENCE_SECONDS, is_first_ready.is_set)
    ready: list[bool] = []

    def both_said_hello() -> bool:
        if screen.of("first") and not is_first_ready.is_set():
            assert not screen.of("second"), "it waits for the first"
            is_first_ready.set()
        return bool(screen.of("second"))

    person = screen.when(both_said_hello, signal.SIGTERM)
    _run(screen, [first], [_program("second", OBEDIENT)], on_ready=lambda: ready.append(True))
    person.join()
    assert ready == [True]
    assert [name for name, line in screen.lines if line == "bye"] == ["second", "first"]


def test_a_program_that_keeps_ending_is_started_again_with_growing_pauses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child, "FIRST_PAUSE_SECONDS", 0.1)
    screen = Screen()
    person = screen.when(lambda: len(screen.of("up")) >= 3, signal.SIGTERM)
    _run(screen, [_program("weak", "echo alas; exit 3")])
    person.join()
    assert screen.of("up")[:3] == [
        f"weak ended with status 3; again in {seconds} s" for seconds in ("0.1", "0.2", "0.4")
    ]


def test_who_ignores_two_requests_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "LOST_PATIENCE_SECONDS", 0.5)
    screen = Screen()
    person = screen.when(lambda: bool(screen.of("deaf")), signal.SIGTERM)
    _run(screen, [_program("deaf", STUBBORN, grace=0.5)])
    person.join()
    assert screen.of("deaf") == ["hello", "no", "no"]
    assert screen.of("up")[-1] == "deaf does not end: killed"


def test_a_second_signal_ends_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "LOST_PATIENCE_SECONDS", 0.5)
    screen = Screen()
    began = time.monotonic()
    person = screen.when(lambda: bool(screen.of("deaf")), signal.SIGTERM, signal.SIGTERM)
    _run(screen, [_program("deaf", STUBBORN)])
    person.join()
    assert time.monotonic() - began < PATIENCE_SECONDS


def test_what_a_program_left_in_its_group_goes_with_it(tmp_path: Path) -> None:
    screen = Screen()
    left = tmp_path / "left"
    script = f"sleep 1000 & echo $! > {left}; echo hello; exit 1"
    person = screen.when(lambda: bool(screen.of("up")), signal.SIGTERM)
    _run(screen, [_program("careless", script)])
    person.join()
    leftover = Path(f"/proc/{int(left.read_text())}/stat")
    assert not leftover.exists() or leftover.read_text().rpartition(")")[2].split()[0] == "Z"


def test_output_without_an_end_of_line_comes_too() -> None:
    screen = Screen()
    script = f"printf begun; exec 1>&- 2>&-; {OBEDIENT.replace('echo hello; ', '')}"
    person = screen.when(lambda: bool(screen.of("terse")), signal.SIGTERM)
    _run(screen, [_program("terse", script)])
    person.join()
    assert screen.of("terse")[0] == "begun"


@pytest.mark.parametrize(
    ("typed", "stops"),
    [("y\n", True), (" YES \n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_only_a_yes_means_yes(monkeypatch: pytest.MonkeyPatch, typed: str, *, stops: bool) -> None:
    read_end, write_end = os.pipe()
    monkeypatch.setattr(question, "STDIN", read_end)
    os.write(write_end, typed.encode())
    os.close(write_end)
    asked = StopQuestion(lambda: None)
    asked.is_open = True
    assert asked.answer() is stops
    assert not asked.is_open
    os.close(read_end)


def test_one_group_in_a_folder(tmp_path: Path) -> None:
    with only_group_in(tmp_path), pytest.raises(CannotStart), only_group_in(tmp_path):
        pass
    with only_group_in(tmp_path):
        pass
