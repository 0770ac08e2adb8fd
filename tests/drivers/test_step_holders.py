"""Detached steps: who may act on them, how they are stopped, and connections that break."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from devices.drivers.shell import Shell
from devices.drivers.steps import StepEnd, StepSpec, kill_step, run_step
from devices.errors import (
    CommandTimedOut,
    DeviceUnreachable,
    StaleHolder,
    StepStillRunning,
    UnsafeName,
)
from tests.drivers.device import Device
from tests.drivers.stage import BEGINS_AND_WAITS, KEY, Cancelled, Stage


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
    assert b"".join(heard).count(b"begun\n") == 2  # its shell may remark that it was killed


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
