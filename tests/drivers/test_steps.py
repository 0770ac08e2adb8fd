"""Detached steps: each runs once, and ends with a truth, whoever dies at whatever moment."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from devices.drivers.shell import Shell
from devices.drivers.steps import StepEnd, StepSpec, kill_step, run_step
from devices.errors import (
    DeviceCut,
)
from tests.drivers.device import living
from tests.drivers.stage import BEGINS_AND_WAITS, KEY, Stage, leave_running
from tests.environment.waiting import wait_until


@pytest.mark.parametrize("status", [0, 3, 255])
def test_a_step_ends_with_its_status_and_output(shell: Shell, stage: Stage, status: int) -> None:
    pieces: list[bytes] = []
    spec = stage.step('echo out; echo err >&2; exit "$2"', str(status))
    end = run_step(shell, spec, holder=stage.holder(), limit_seconds=30, on_output=pieces.append)
    assert (end, b"".join(pieces)) == (StepEnd(status=status, output_bytes_total=8), b"out\nerr\n")


def test_a_step_that_ended_is_not_run_again(shell: Shell, stage: Stage) -> None:
    stage.end()
    again: list[bytes] = []
    first = run_step(shell, stage.step(), holder=stage.holder(), limit_seconds=30)
    second = run_step(
        shell,
        stage.step(),
        holder=stage.holder(2),
        limit_seconds=30,
        on_output=again.append,
        output_from=6,
    )
    assert (first, second) == (StepEnd(status=0, output_bytes_total=12),) * 2
    assert (b"".join(again), stage.runs()) == (b"ended\n", 1)


def test_words_and_environment_reach_a_step_and_no_list_of_processes(
    shell: Shell, stage: Stage
) -> None:
    token = "it's $HOME\n'\\" + "-kept"
    script = 'printf "%s" "$FLEET_TOKEN" >"$1/token"; cat /proc/[0-9]*/cmdline >"$1/seen" 2>/dev/null; pwd'
    spec = StepSpec(
        key=KEY,
        command=["sh", "-c", script, "step", str(stage.root)],
        cwd=str(stage.root),
        env={"FLEET_TOKEN": token, "PATH": "/usr/bin:/bin"},
    )
    heard: list[bytes] = []
    end = run_step(shell, spec, holder=stage.holder(), limit_seconds=30, on_output=heard.append)
    assert end.status == 0
    assert b"".join(heard).decode() == f"{stage.root}\n"
    assert (stage.root / "token").read_text() == token
    assert b"-kept" not in (stage.root / "seen").read_bytes()
    assert not [
        f for f in (stage.root / "work").rglob("*") if f.is_file() and b"-kept" in f.read_bytes()
    ]


def test_output_comes_soon(shell: Shell, stage: Stage) -> None:
    """The step writes down when it spoke; both clocks are this machine's."""
    late: list[float] = []

    def on_output(piece: bytes) -> None:
        late.append(time.time() - float(piece.split()[-1]))
        if len(late) == 4:
            stage.end()

    speaks = f'until [ -e "$1/end" ]; do "{sys.executable}" -c "import time; print(time.time())"; sleep 0.3; done'
    run_step(
        shell, stage.step(speaks), holder=stage.holder(), limit_seconds=30, on_output=on_output
    )
    assert sorted(late)[1] < 0.5


def test_a_killed_worker_leaves_its_step_running_for_the_next(
    shell: Shell, stage: Stage, worker: subprocess.Popen[bytes]
) -> None:
    worker.kill()
    worker.wait()
    pieces: list[bytes] = []

    def on_output(piece: bytes) -> None:
        pieces.append(piece)
        stage.end()

    end = run_step(
        shell, stage.step(), holder=stage.holder(2), limit_seconds=30, on_output=on_output
    )
    assert (end.status, b"".join(pieces), stage.runs()) == (0, b"begun\nended\n", 1)


def test_a_step_that_ends_while_nobody_looks_keeps_its_status(shell: Shell, begun: Stage) -> None:
    begun.end()
    wait_until(begun.file("status").exists, seconds=10, what="the status")
    end = run_step(shell, begun.step(), holder=begun.holder(2), limit_seconds=30)
    assert end == StepEnd(status=0, output_bytes_total=12)


def test_of_two_racers_one_starts_and_both_see_the_end(stage: Stage) -> None:
    ends: list[StepEnd] = []

    def race() -> None:
        with stage.device.shell() as shell:
            ends.append(run_step(shell, stage.step(), holder=stage.holder(), limit_seconds=30))

    racers = [threading.Thread(target=race) for _ in range(3)]
    for racer in racers:
        racer.start()
    stage.await_begun()
    stage.end()
    for racer in racers:
        racer.join(timeout=30)
    assert ends == [StepEnd(status=0, output_bytes_total=12)] * 3
    assert stage.runs() == 1


def test_a_step_whose_process_is_gone_was_cut(shell: Shell, begun: Stage) -> None:
    pid = int(begun.file("pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(DeviceCut):
            run_step(shell, begun.step(), holder=begun.holder(2), limit_seconds=30)
        assert begun.living() == []
    assert begun.runs() == 1


def test_a_step_told_to_end_by_the_device_itself_was_cut(shell: Shell, begun: Stage) -> None:
    """A device that goes down tells everybody at once; what the step dies of then is not its result."""
    pids = [process for process in Path("/proc").iterdir() if process.name.isdigit()]
    session = begun.file("pid").read_text().split()[0]
    ours = [
        p.name
        for p in pids
        if (p / "stat").exists()
        and (p / "stat").read_text().rpartition(")")[2].split()[3] == session
    ]
    for pid in ours:  # some are short-lived
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)
    with pytest.raises(DeviceCut):
        run_step(shell, begun.step(), holder=begun.holder(2), limit_seconds=30)
    assert not begun.file("status").exists()


@pytest.mark.parametrize("status", [None, "143"])
def test_a_step_of_another_boot_was_cut(shell: Shell, begun: Stage, status: str | None) -> None:
    kill_step(shell, begun.step(), holder=begun.holder())
    begun.file("killed.asked").unlink()
    begun.file("status").unlink()
    if status is not None:
        begun.file("status").write_text(status + "\n")
    begun.device.boot_again()
    with pytest.raises(DeviceCut):
        run_step(shell, begun.step(), holder=begun.holder(2), limit_seconds=30)
    assert begun.runs() == 1


def test_a_step_that_ended_before_a_reboot_keeps_its_status(shell: Shell, stage: Stage) -> None:
    stage.end()
    spec = stage.step(BEGINS_AND_WAITS, "4")
    run_step(shell, spec, holder=stage.holder(), limit_seconds=30)
    stage.device.boot_again()
    assert run_step(shell, spec, holder=stage.holder(2), limit_seconds=30).status == 4


def test_a_start_that_was_cut_off_before_the_pid_may_be_started(shell: Shell, stage: Stage) -> None:
    stage.file("out").parent.mkdir(parents=True)
    stage.file("out").write_text("sh: nothing ran\n")
    stage.end()
    end = run_step(shell, stage.step(), holder=stage.holder(), limit_seconds=30)
    assert (end, stage.runs()) == (StepEnd(status=0, output_bytes_total=12), 1)


def test_a_starter_that_was_held_up_and_a_second_one_start_it_once(
    shell: Shell, stage: Stage
) -> None:
    """A starter on the device may go on at any later moment, also when its worker has died meanwhile."""
    lock = stage.root / "work" / "fence.lock"
    lock.parent.mkdir()
    starter = threading.Thread(target=lambda: leave_running(shell, stage))
    with lock.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        starter.start()
        wait_until(lambda: living(str(stage.root / "work")), seconds=10, what="the starter")
        assert stage.runs() == 0
    stage.end()
    with stage.device.shell() as other:
        end = run_step(other, stage.step(), holder=stage.holder(), limit_seconds=30)
    starter.join(timeout=20)
    assert (end.status, stage.runs()) == (0, 1)
