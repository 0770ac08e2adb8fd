"""What every Shell promises: commands. The same for a local process, a busybox device and a real sshd."""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from devices.drivers.shell import Shell
from devices.errors import CommandFailed, CommandTimedOut, DeviceUnreachable, UnsafeName
from tests.drivers.device import Device, living
from tests.environment.waiting import wait_until

PYTHON = sys.executable
EVERY_BYTE = bytes(range(1, 256)).decode("utf-8", "surrogateescape")
NASTY = [
    *["", " ", "-n", "--", "a'b", 'a"b', "\\", "\\n", "\n", "a\n", "\t", "$HOME", "`id`", "$(id)"],
    *[
        "*",
        "?",
        "[a]",
        "~",
        "!x",
        "#x",
        ";",
        "&",
        "|",
        "<",
        ">",
        "{a,b}",
        "%s",
        "é",
        "ā",
        "日本",
        EVERY_BYTE,
    ],
]


class Cancelled(Exception):
    """What a caller raises to end a command."""


@pytest.mark.parametrize("status", [0, 1, 127, 255])
def test_the_exit_status_is_an_answer(shell: Shell, status: int) -> None:
    result = shell.run(["sh", "-c", f"echo out; echo err >&2; exit {status}"], limit_seconds=20)
    assert (result.status, result.output) == (status, b"out\nerr\n")


def test_a_death_by_signal_is_a_negative_status(shell: Shell) -> None:
    assert shell.run(["sh", "-c", "kill -TERM $$"], limit_seconds=20).status == -15


def test_words_arrive_as_they_are(shell: Shell) -> None:
    says = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"
    result = shell.run([PYTHON, "-c", says, *NASTY], limit_seconds=20)
    assert result.output.decode("utf-8", "surrogateescape").split("\0") == NASTY


def test_the_environment_arrives_as_it_is_and_is_no_word_of_any_process(shell: Shell) -> None:
    env = {f"FLEET_{number}": word for number, word in enumerate(NASTY)}
    says = (
        "import os, pathlib, sys\n"
        "seen = [p.read_bytes() for p in pathlib.Path('/proc').glob('[0-9]*/cmdline')]\n"
        "assert not any(b'keep-me-secret' in words for words in seen), seen\n"
        f"sys.stdout.buffer.write(b'\\0'.join(os.environb[b'FLEET_%d' % n] for n in range({len(NASTY)})))\n"
    )
    env["FLEET_TOKEN"] = "keep-me-" + "secret"
    result = shell.run([PYTHON, "-"], stdin=[says.encode()], env=env, limit_seconds=20)
    assert result.output.decode("utf-8", "surrogateescape").split("\0") == NASTY


def test_the_portals_own_environment_does_not_reach_a_device(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETWRIGHT_SECRET_KEY", "hidden")
    assert b"hidden" not in shell.run(["env"], limit_seconds=20).output


def test_a_command_runs_where_it_is_told_to(shell: Shell, device: Device) -> None:
    place = device.root / "it's a place"
    place.mkdir()
    assert shell.run(["pwd"], cwd=str(place), limit_seconds=20).output == f"{place}\n".encode()


@pytest.mark.parametrize(
    ("command", "cwd", "status"),
    [(["no-such-program"], None, 127), (["pwd"], "/no/such/place", 127), (["/etc"], None, 126)],
)
def test_what_cannot_be_started_has_the_shells_own_status(
    shell: Shell, command: list[str], cwd: str | None, status: int
) -> None:
    assert shell.run(command, cwd=cwd, limit_seconds=20).status == status


@pytest.mark.parametrize("device", ["local"], indirect=True)
@pytest.mark.parametrize(
    ("command", "env", "cwd"),
    [
        ([], {}, None),
        (["-c"], {}, None),
        (["a\0b"], {}, None),
        (["true"], {"A B": "x"}, None),
        (["true"], {"A": "x\0"}, None),
        (["true"], {}, "relative"),
        (["true"], {}, "/a/../b"),
    ],
)
def test_what_no_command_line_can_carry_is_refused(
    shell: Shell, command: list[str], env: dict[str, str], cwd: str | None
) -> None:
    with pytest.raises(UnsafeName):
        shell.run(command, env=env, cwd=cwd, limit_seconds=20)


def test_output_comes_while_the_command_runs(shell: Shell, device: Device) -> None:
    flag = device.root / "flag"
    waits = 'echo first; until [ -e "$1" ]; do sleep 0.05; done; echo second'
    pieces: list[bytes] = []

    def on_output(piece: bytes) -> None:
        pieces.append(piece)
        flag.touch()

    result = shell.run(["sh", "-c", waits, "sh", str(flag)], limit_seconds=20, on_output=on_output)
    assert (pieces, result.status) == ([b"first\n", b"second\n"], 0)


def test_only_the_last_of_the_output_is_kept(shell: Shell) -> None:
    counted: list[int] = []
    result = shell.run(
        ["sh", "-c", "head -c 3000000 /dev/zero; echo; echo end"],
        limit_seconds=20,
        on_output=lambda piece: counted.append(len(piece)),
        keep_bytes=5,
    )
    assert (sum(counted), result.output) == (3_000_005, b"\nend\n")


# Grandchildren, one in a process group of its own, and one that is deaf to TERM.
FAMILY = """
import signal, subprocess, sys, time
if len(sys.argv) == 3:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", sys.argv[1]], process_group=0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    subprocess.Popen([sys.executable, __file__, sys.argv[1], "child"])
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
def family(device: Device) -> list[str]:
    script = device.root / "family.py"
    script.write_text(FAMILY)
    return [PYTHON, str(script), f"family-{device.root.name}-{device.kind}"]


def test_at_the_time_limit_the_whole_family_is_killed(shell: Shell, family: list[str]) -> None:
    with pytest.raises(CommandTimedOut):
        shell.run(family, limit_seconds=1.5)
    assert living(family[2]) == []


def test_what_on_output_raises_ends_the_command_and_comes_out(
    shell: Shell, family: list[str]
) -> None:
    heard = b""

    def on_output(piece: bytes) -> None:
        nonlocal heard
        heard += piece
        if heard.count(b"up") == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        shell.run(family, limit_seconds=20, on_output=on_output)
    assert living(family[2]) == []


def test_what_on_tick_raises_ends_the_command_and_comes_out(
    shell: Shell, family: list[str]
) -> None:
    def on_tick() -> None:
        if len(living(family[2])) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        shell.run(family, limit_seconds=20, on_tick=on_tick)
    assert living(family[2]) == []


def test_what_a_command_leaves_behind_is_killed_and_does_not_hold_it_up(
    shell: Shell, device: Device
) -> None:
    marker = f"left-{device.root.name}-{device.kind}"
    leaves = f'"{PYTHON}" -c "import time; time.sleep(60)" {marker} & echo done'
    assert shell.run(["sh", "-c", leaves], limit_seconds=20).output == b"done\n"
    assert living(marker) == []


@pytest.mark.parametrize("device", ["local", "ssh"], indirect=True)
def test_the_caller_hears_a_tick_every_second(shell: Shell) -> None:
    ticks: list[float] = []
    shell.run(["sleep", "1.6"], limit_seconds=20, on_tick=lambda: ticks.append(time.monotonic()))
    assert len(ticks) >= 2
    assert max(after - before for before, after in pairwise(ticks)) < 1


def test_input_streams_without_filling_memory(shell: Shell) -> None:
    def megabytes() -> Iterator[bytes]:
        for _ in range(64):
            yield bytes(1 << 20)

    shell.run(["true"], limit_seconds=20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = shell.run(["wc", "-c"], limit_seconds=60, stdin=megabytes())
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result.output.strip() == b"67108864"
    assert grown_kib < 24 * 1024


def test_input_and_output_do_not_wait_for_each_other(shell: Shell) -> None:
    size = 0

    def on_output(piece: bytes) -> None:
        nonlocal size
        size += len(piece)

    pieces = [bytes(1 << 20)] * 12
    shell.run(["cat"], limit_seconds=60, stdin=pieces, on_output=on_output)
    assert size == 12 << 20


def test_input_that_nobody_reads_is_no_failure(shell: Shell) -> None:
    assert shell.run(["true"], limit_seconds=20, stdin=[bytes(1 << 20)] * 8).status == 0


def test_a_fresh_boot_id_is_known_by_a_reboot(shell: Shell, device: Device) -> None:
    assert shell.boot_id() == "first"
    ticks: list[None] = []
    shell.reboot(limit_seconds=30, on_tick=lambda: ticks.append(None))
    assert shell.boot_id() == "second"
    assert ticks


@pytest.mark.parametrize("device", ["local"], indirect=True)
def test_a_device_that_does_not_come_back_is_unreachable(device: Device) -> None:
    never = Device(kind=device.kind, root=device.root, sshd=device.sshd, reboot_command=["true"])
    with never.shell() as shell, pytest.raises(DeviceUnreachable):
        shell.reboot(limit_seconds=1.5)


def test_a_device_that_cannot_reboot_says_so(device: Device) -> None:
    refuses = Device(kind=device.kind, root=device.root, sshd=device.sshd, reboot_command=["false"])
    with refuses.shell() as shell, pytest.raises(CommandFailed):
        shell.reboot(limit_seconds=20)


def test_what_on_tick_raises_ends_a_reboot_command_too(device: Device, family: list[str]) -> None:
    def on_tick() -> None:
        if len(living(family[2])) == 3:
            raise Cancelled

    hangs = Device(kind=device.kind, root=device.root, sshd=device.sshd, reboot_command=family)
    with hangs.shell() as shell, pytest.raises(Cancelled):
        shell.reboot(limit_seconds=20, on_tick=on_tick)
    assert living(family[2]) == []


def test_a_closed_shell_opens_again(shell: Shell) -> None:
    shell.boot_id()
    shell.close()
    assert shell.boot_id() == "first"


def test_two_shells_do_not_disturb_each_other(shell: Shell, device: Device) -> None:
    flag = device.root / "flag"
    waits = ["sh", "-c", 'until [ -e "$1" ]; do sleep 0.05; done', "sh", str(flag)]
    statuses: list[int] = []
    waiting = threading.Thread(
        target=lambda: statuses.append(shell.run(waits, limit_seconds=20).status)
    )
    waiting.start()
    with device.shell() as other:
        wait_until(lambda: living(str(flag)), seconds=10, what="the first command")
        other.run(["sh", "-c", 'true >"$1"', "sh", str(flag)], limit_seconds=20)
    waiting.join(timeout=20)
    assert statuses == [0]
