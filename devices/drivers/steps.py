"""Detached steps: commands that go on when their worker dies or the connection breaks, and run once, whoever asks.

A step is a command under a key. The first `run_step` with a key starts it on the device, detached; any later one, by this
worker or another, attaches to it: goes on with the output where asked, and returns the exit status that the device wrote
down. Everything known about a step lies on the device (see `step_scripts`), so it outlives all of us.

Who may act is decided there too: each call brings its holder's fence number, the device keeps the highest one it has seen,
and refuses anything lower. One step runs at a time on a device.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from devices.drivers.commands import QUICK_SECONDS, Watch, demand_success
from devices.drivers.shell import OnOutput, OnTick, Result, Shell
from devices.drivers.step_scripts import (
    BUSY,
    FOLLOW,
    INSPECT,
    KILL,
    NOT_BEGUN,
    STALE,
    START,
    WRAPPER,
)
from devices.drivers.words import absolute, shell_text
from devices.errors import (
    CommandFailed,
    CommandTimedOut,
    DeviceCut,
    DeviceUnreachable,
    HostKeyChanged,
    HostKeyUnknown,
    LoginRefused,
    StaleHolder,
    StepStillRunning,
    UnsafeName,
)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_REPORT = re.compile(r"^report (\w+) (-|\d+) (\d+) (\S+) (\S+)$", re.MULTILINE)
_REPLAY_SECONDS = 900.0
_STEP_LIMIT = "The step was still running at its time limit, and was killed."


@dataclass(frozen=True, slots=True)
class StepSpec:
    """What to run. The same `key` below the same upgrade is the same run, so its command never runs a second time."""

    key: str
    command: Sequence[str]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Holder:
    """On whose behalf. `fence` grows with each worker that takes the upgrade over; `work_root` is a directory on the device.

    `retry_seconds` are the pauses between tries to reach the device again; the last one repeats.
    """

    fence: int
    work_root: str
    upgrade: str
    retry_seconds: Sequence[float] = (1, 2, 4, 8, 15)
    kill_after_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended: its exit status (negative: killed by that signal), and how much it wrote in all."""

    status: int
    output_bytes_total: int


def run_step(
    shell: Shell,
    spec: StepSpec,
    *,
    holder: Holder,
    limit_seconds: float,
    on_output: OnOutput | None = None,
    on_tick: OnTick | None = None,
    output_from: int = 0,
) -> StepEnd:
    """The step has ended, and its output from byte `output_from` on has been handed over, each byte once.

    1. The device's fence is raised to ours (`StaleHolder` if it is higher, also later while we wait).
    2. The step is started, or found to have been started (`StepStillRunning` if another one runs there).
    3. Its output is followed. A connection that breaks is made again, with pauses, until the limit.

    `CommandTimedOut`: it was still running after `limit_seconds`, now or for an earlier holder, and was killed.
    `DeviceCut`: it began but left no status, and runs no more. `DeviceUnreachable`: the limit came while nobody answered;
    it may still run, as it does when `on_output` or `on_tick` raises, which comes out unchanged.
    """
    caller = _Caller(
        watch=Watch(limit_seconds=limit_seconds, on_tick=on_tick),
        on_output=on_output,
        on_tick=on_tick,
        output_from=output_from,
    )
    attached = _Attached(shell, spec, holder=holder, caller=caller)
    try:
        return attached.to_the_end()
    except _LimitReached:
        return attached.after_the_limit()


def kill_step(shell: Shell, spec: StepSpec, *, holder: Holder) -> None:
    """No process of the step runs (TERM, later KILL). If it was running, its status says which signal it died of.

    Nothing happens to a step that never began or has ended. `CommandFailed` when a process would not die.
    """
    _Attached(shell, spec, holder=holder, caller=_Caller(watch=Watch())).kill("asked")


@dataclass(frozen=True, slots=True)
class _Report:
    """What the device knows about a step. `what`: new, running, ended or gone."""

    what: str
    status: int
    boot_id: str
    killed: str


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who waits for a step: until when, and what they want to hear."""

    watch: Watch
    on_output: OnOutput | None = None
    on_tick: OnTick | None = None
    output_from: int = 0


class _LimitReached(Exception):
    """Our own limit, told apart from any `CommandTimedOut` of a smaller call."""


class _Attached:
    """One step as one holder sees it. `offset` is how much of its output was handed over."""

    def __init__(self, shell: Shell, spec: StepSpec, *, holder: Holder, caller: _Caller) -> None:
        for name in (spec.key, holder.upgrade):
            if not _NAME.fullmatch(name):
                raise UnsafeName(f"{name!r} cannot name a step or an upgrade on a device.")
        self._shell = shell
        self._holder = holder
        self._key = spec.key
        self._text = shell_text(spec.command, env=spec.env, cwd=spec.cwd) + "# whole\n"
        self._watch = caller.watch
        self._on_output = caller.on_output
        self._on_tick = caller.on_tick
        self._offset = caller.output_from
        self._reached = False

    def to_the_end(self) -> StepEnd:
        pauses = iter(self._holder.retry_seconds)
        pause = 0.0
        while True:
            try:
                report = self._start()
                self._reached = True
                pauses = iter(self._holder.retry_seconds)
                return self._follow(report)
            except (HostKeyUnknown, HostKeyChanged):
                raise
            except DeviceUnreachable as error:
                if isinstance(error, LoginRefused) and not self._reached:
                    raise
                pause = next(pauses, pause)
                self._wait_to_retry(pause, error=error)

    def _wait_to_retry(self, pause: float, *, error: DeviceUnreachable) -> None:
        self._shell.close()
        try:
            self._watch.pause(pause)
            self._watch.tick()
        except CommandTimedOut:
            raise error from None

    def _start(self) -> _Report:
        words = self._words(START, self._shell.boot_id(), WRAPPER)
        try:
            result = self._shell.run(
                words,
                limit_seconds=QUICK_SECONDS,
                on_tick=self._on_tick,
                stdin=[self._text.encode("utf-8", "surrogateescape")],
            )
        except CommandTimedOut:
            raise DeviceUnreachable("The device does not manage to start a step.") from None
        said = result.output.decode("utf-8", "replace")
        if result.status == BUSY:
            key = said.rpartition("busy ")[2].strip()
            raise StepStillRunning(f"The step {key} still runs on the device.", key=key)
        return self._report(result)

    def _follow(self, report: _Report) -> StepEnd:
        """Hands over what the step writes until it has ended; what is all written already is not bound to the limit."""
        running = report.what == "running"
        seconds = self._watch.left_seconds() if running else _REPLAY_SECONDS
        words = self._words(FOLLOW, str(self._offset))
        try:
            result = self._shell.run(
                words,
                limit_seconds=max(seconds, 0),
                on_output=self._hand_over,
                on_tick=self._on_tick,
                keep_bytes=2048,
            )
        except CommandTimedOut:
            if running:
                raise _LimitReached from None
            raise DeviceUnreachable("The device does not hand over the step's output.") from None
        self._demand(result)
        return self._end(self._inspect() if running else report)

    def _hand_over(self, piece: bytes) -> None:
        self._offset += len(piece)
        if self._on_output is not None:
            self._on_output(piece)

    def _end(self, report: _Report) -> StepEnd:
        if report.what != "running" and report.killed == "limit":
            raise CommandTimedOut(_STEP_LIMIT)
        died_at_a_reboot = report.status < 0 and report.killed == "-" and self._rebooted(report)
        if report.what == "ended" and not died_at_a_reboot:
            return StepEnd(status=report.status, output_bytes_total=self._offset)
        if self._rebooted(report):
            raise DeviceCut("The device was rebooted while the step was running.")
        self.kill("")
        raise DeviceCut("The step's process is gone, and has left no exit status.")

    def _rebooted(self, report: _Report) -> bool:
        return report.boot_id != self._shell.boot_id()

    def after_the_limit(self) -> StepEnd:
        """Nothing of the step runs, and its last words are handed over. If it ended by itself just before, that counts."""
        try:
            self.kill("limit")
        except CommandFailed:
            raise CommandTimedOut(
                "The step was still running at its time limit, and the device could not kill it."
            ) from None
        try:
            return self._follow(self._inspect())
        except (DeviceUnreachable, _LimitReached):
            raise CommandTimedOut(_STEP_LIMIT) from None

    def kill(self, reason: str) -> None:
        tenths = str(int(self._holder.kill_after_seconds * 10))
        words = self._words(KILL, self._shell.boot_id(), tenths, reason)
        limit = self._holder.kill_after_seconds + QUICK_SECONDS
        self._demand(self._shell.run(words, limit_seconds=limit))

    def _inspect(self) -> _Report:
        return self._report(self._shell.run(self._words(INSPECT), limit_seconds=QUICK_SECONDS))

    def _words(self, script: str, *more: str) -> list[str]:
        root = absolute(self._holder.work_root)
        fence = str(int(self._holder.fence))
        place = [root, self._holder.upgrade, self._key, fence]
        return ["sh", "-c", script, "sh", *place, *more]

    def _demand(self, result: Result) -> str:
        if result.status == STALE:
            raise StaleHolder("Another worker has taken this upgrade over on the device.")
        if result.status == NOT_BEGUN:
            demand_success(Result(status=1, output=result.output))
        return demand_success(result)

    def _report(self, result: Result) -> _Report:
        said = self._demand(result)
        found = _REPORT.search(said)
        if found is None:
            raise CommandFailed(
                "The device's account of the step cannot be read.", status=0, output=said[-2048:]
            )
        what, status, _, boot_id, killed = found.groups()
        number = 0 if status == "-" else int(status)
        number = 128 - number if 128 < number <= 192 else number
        return _Report(what=what, status=number, boot_id=boot_id, killed=killed)
