"""Detached steps: what is true whoever dies, at whatever moment. The same for local, busybox and SSH devices."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devices.drivers.shell import Shell
from devices.drivers.steps import Holder, StepEnd, StepSpec, kill_step, run_step
from devices.errors import (
    CommandTimedOut,
    DeviceCut,
    DeviceUnreachable,
    StaleHolder,
    StepStillRunning,
    UnsafeName,
)
from tests.drivers.device import Device, living
from tests.environment.waiting import wait_until

KEY = "0007-ArtifactInstall"

# Says that it began, waits for the word to end, and says so.
BEGINS_AND_WAITS = """
echo ran >>"$1/runs"; echo begun
until [ -e "$1/end" ]; do sleep 0.05; done
echo ended; exit "${2:-0}"
"""


class Cancelled(Exception):
    """What a caller raises to stop waiting."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One device with one step on it, as a test sees it from outside."""

    device: Device
    root: Path

    def step(self, script: str = BEGINS_AND_WAITS, *words: str, key: str = KEY) -> StepSpec:
        command = ["sh", "-c", script, "step", str(self.root), *words]
        return StepSpec(key=key, command=command, cwd=str(self.root))

    def holder(self, fence: int = 1, upgrade: str = "upgrade-7") -> Holder:
        return Holder(
            fence=fence,
            work_root=str(self.root / "work"),
            upgrade=upgrade,
            retry_seconds=(0.1, 0.3),
            kill_after_seconds=0.5,
        )

    def file(self, name: str, key: str = KEY) -> Path:
        return self.root / "work" / "upgrade-7" / "steps" / key / name

    def runs(self) -> int:
        runs = self.root / "runs"
        return len(runs.read_text().splitlines()) if runs.exists() else 0

    def end(self) -> None:
        (self.root / "end").touch()

    def await_begun(self) -> None:
        wait_until(lambda: self.runs() == 1, seconds=20, what="the step begins")

    def living(self) -> list[str]:
        return living(str(self.root))


@pytest.fixture
def stage(device: Device) -> Iterator[Stage]:
    stage = Stage(device=device, root=device.root)
    yield stage
    stage.end()
    wait_until(lambda: not stage.living(), seconds=10, what="the step's end")


@pytest.fixture
def begun(shell: Shell, stage: Stage) -> Stage:
    """A step that runs on the device, with nobody attached to it."""
    leave_running(shell, stage)
    return stage


def leave_running(shell: Shell, stage: Stage) -> None:
    def on_output(_: bytes) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run_step(shell, stage.step(), holder=stage.holder(), limit_seconds=30, on_output=on_output)
    stage.await_begun()


@pytest.fixture
def worker(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has started the step, and is attached to it."""
    sshd, spec, holder = stage.device.sshd, stage.step(), stage.holder()
    order = {
        "kind": stage.device.kind,
        "root": str(stage.root),
        "port": sshd and sshd.port,
        "user": sshd and sshd.user,
        "client_key": sshd and sshd.client_key_pem,
        "host_key": sshd and sshd.host_key,
        "step": {"key": spec.key, "command": spec.command, "cwd": spec.cwd},
        "holder": {"fence": 1, "work_root": holder.work_root, "upgrade": holder.upgrade},
    }
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.drivers.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with started:
        assert started.stdin is not None
        started.stdin.write(json.dumps(order).encode())
        started.stdin.close()
        stage.await_begun()
        yield started
        started.kill()


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
    subprocess.run(["/bin/kill", "-KILL", str(pid)], check=True)
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
    subprocess.run(["/bin/kill", "-TERM", *ours], check=True)
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


@pytest.mark.parametrize("act", [run_step, kill_step])
def test_a_stale_holder_is_refused(
    shell: Shell, begun: Stage, act: Callable[..., StepEnd | None]
) -> None:
    kill_step(shell, begun.step(key="other"), holder=begun.holder(5))
    limit = {"limit_seconds": 30} if act is run_step else {}
    with pytest.raises(StaleHolder):
        act(shell, begun.step(), holder=begun.holder(4), **limit)
    assert begun.living()
    assert not begun.file("killed.asked").exists()


def test_a_holder_that_becomes_stale_while_it_waits_stops(shell: Shell, begun: Stage) -> None:
    def take_over() -> None:
        with begun.device.shell() as other:
            kill_step(other, begun.step(key="other"), holder=begun.holder(9))

    thief = threading.Thread(target=take_over)
    thief.start()
    with pytest.raises(StaleHolder):
        run_step(shell, begun.step(), holder=begun.holder(2), limit_seconds=30)
    thief.join()
    assert begun.living()


def test_one_step_runs_at_a_time_on_a_device(shell: Shell, begun: Stage) -> None:
    other = begun.step("true", key="0008-ArtifactCommit")
    with pytest.raises(StepStillRunning) as refused:
        run_step(shell, other, holder=begun.holder(1, "upgrade-8"), limit_seconds=30)
    assert refused.value.key == f"upgrade-7/{KEY}"
    begun.end()
    assert run_step(shell, begun.step(), holder=begun.holder(), limit_seconds=30).status == 0
    assert run_step(shell, other, holder=begun.holder(1, "upgrade-8"), limit_seconds=30).status == 0


def test_what_a_step_leaves_behind_does_not_hold_the_device(shell: Shell, stage: Stage) -> None:
    first = stage.step('sh -c \'until [ -e "$1/end" ]; do sleep 0.05; done\' left "$1" & echo done')
    assert run_step(shell, first, holder=stage.holder(), limit_seconds=30).status == 0
    second = stage.step("true", key="next")
    assert run_step(shell, second, holder=stage.holder(), limit_seconds=30).status == 0


def test_at_the_limit_a_step_is_killed_also_when_a_dead_worker_started_it(
    shell: Shell, begun: Stage
) -> None:
    heard: list[bytes] = []
    for _ in range(2):
        with pytest.raises(CommandTimedOut):
            run_step(
                shell,
                begun.step(),
                holder=begun.holder(2),
                limit_seconds=1,
                on_output=heard.append,
            )
        assert begun.living() == []
    assert b"".join(heard) == b"begun\n" * 2


@pytest.mark.parametrize("deaf", ["", "trap '' TERM; "])
def test_a_killed_step_leaves_nobody_and_says_what_it_died_of(
    shell: Shell, stage: Stage, deaf: str
) -> None:
    def on_output(_: bytes) -> None:
        raise Cancelled

    spec = stage.step(f'{deaf}sh -c "$2" child "$1" & {BEGINS_AND_WAITS}', "sleep 60")
    with pytest.raises(Cancelled):
        run_step(shell, spec, holder=stage.holder(), limit_seconds=30, on_output=on_output)
    kill_step(shell, spec, holder=stage.holder())
    assert stage.living() == []
    end = run_step(shell, spec, holder=stage.holder(2), limit_seconds=30)
    assert end.status == (-9 if deaf else -15)


def test_killing_what_never_ran_or_has_ended_changes_nothing(shell: Shell, stage: Stage) -> None:
    stage.end()
    kill_step(shell, stage.step(), holder=stage.holder())
    assert run_step(shell, stage.step(), holder=stage.holder(), limit_seconds=30).status == 0
    kill_step(shell, stage.step(), holder=stage.holder())
    assert run_step(shell, stage.step(), holder=stage.holder(), limit_seconds=30).status == 0
    assert stage.runs() == 1


def test_what_on_tick_raises_leaves_the_step_running(shell: Shell, begun: Stage) -> None:
    def on_tick() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run_step(shell, begun.step(), holder=begun.holder(), limit_seconds=30, on_tick=on_tick)
    assert begun.living()
    begun.end()
    assert run_step(shell, begun.step(), holder=begun.holder(), limit_seconds=30).status == 0


def test_a_step_that_cannot_find_its_program_has_status_127(shell: Shell, stage: Stage) -> None:
    spec = StepSpec(key=KEY, command=["no-such-program"], cwd="/")
    assert run_step(shell, spec, holder=stage.holder(), limit_seconds=30).status == 127


@pytest.mark.parametrize("device", ["local"], indirect=True)
@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-a", ".hidden", "x" * 200, "a\n"])
def test_names_that_are_no_plain_file_names_are_refused(
    shell: Shell, stage: Stage, name: str
) -> None:
    with pytest.raises(UnsafeName):
        run_step(shell, stage.step(key=name), holder=stage.holder(), limit_seconds=30)
    with pytest.raises(UnsafeName):
        run_step(shell, stage.step(), holder=stage.holder(1, name), limit_seconds=30)


@pytest.mark.parametrize("device", ["ssh"], indirect=True)
def test_a_cut_connection_loses_and_doubles_no_byte(shell: Shell, stage: Stage) -> None:
    heard = b""
    cuts = 0

    def on_output(piece: bytes) -> None:
        nonlocal heard, cuts
        heard += piece
        if len(heard) > 40_000 * (cuts + 1) and cuts < 3 and stage.device.sshd is not None:
            cuts += 1
            stage.device.sshd.kill_connections()

    counts = 'n=0; while [ "$n" -lt 40000 ]; do n=$((n + 1)); echo "$n"; [ $((n % 4000)) -ne 0 ] || sleep 0.1; done'
    end = run_step(
        shell, stage.step(counts), holder=stage.holder(), limit_seconds=60, on_output=on_output
    )
    assert heard == b"".join(b"%d\n" % number for number in range(1, 40001))
    assert (end.status, end.output_bytes_total, cuts) == (0, len(heard), 3)


@pytest.mark.parametrize("device", ["ssh"], indirect=True)
def test_a_device_that_stays_away_is_unreachable_at_the_limit(shell: Shell, stage: Stage) -> None:
    ticks: list[None] = []
    assert stage.device.sshd is not None
    nobody = Device(
        kind="ssh", root=stage.root, sshd=stage.device.sshd.elsewhere(), reboot_command=[]
    )
    with nobody.shell() as lost, pytest.raises(DeviceUnreachable):
        run_step(
            lost,
            stage.step(),
            holder=stage.holder(),
            limit_seconds=1.5,
            on_tick=lambda: ticks.append(None),
        )
    assert len(ticks) >= 2
