"""Detached steps as a recipe calls them: once in each visit of a state, their output into the history, never two at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from devices.drivers.commands import demand_success
from devices.drivers.shell import Result, Shell
from devices.drivers.steps import Holder, StepSpec, kill_step, run_step
from devices.errors import (
    CommandFailed,
    CommandTimedOut,
    DeviceCut,
    DeviceError,
    StaleHolder,
    StepStillRunning,
)
from updates.errors import LeaseLost, StepFailed
from updates.recipes.patience import patiently, pause_for
from updates.runner import Context, HandOver

TAIL_BYTES: Final = 2048
BACKUP: Final = "backup-"
"""So begin the names of what holds a device's step lock without being an upgrade."""
BUSY_SECONDS: Final = 1.0
LEFT_RUNNING: Final = "left_running"
"""The fact that names a step of this upgrade that may still run on the device, although its state is over."""
TOLD: Final = "told"
"""The fact that lists the calls of this visit of the state of which the history says how they ended."""


class DetachedCalls:
    """Calls on one device for one upgrade: they survive our worker and our connection, and the next worker attaches to them.

    One that was told to end (TERM) has `kill_after_seconds` until it is killed.
    """

    def __init__(self, shell: Shell, *, work_root: str, kill_after_seconds: float) -> None:
        self._shell = shell
        self._work_root = work_root
        self._kill_after_seconds = kill_after_seconds

    def run(
        self,
        context: Context,
        word: str,
        *,
        command: Sequence[str],
        cwd: str,
        env: Mapping[str, str],
        limit_seconds: float | None = None,
    ) -> tuple[int, str]:
        """`command` has run detached, once in this visit of the state: its status and the last of its output.

        It is killed with its process group at the state's limit, or at its own if that is sooner (CommandTimedOut). A backup
        that somebody asked for, and that copies on the device just then, is waited for.
        The device refuses it (StaleHolder) when another worker has taken the upgrade over.
        """
        spec = StepSpec(key=context.key(word), command=command, cwd=cwd, env=env)
        self.end_what_was_left(context, but=spec.key)
        try:
            return self._to_its_end(context, spec, limit_seconds=limit_seconds)
        except (HandOver, LeaseLost, StaleHolder, DeviceCut, CommandTimedOut, StepStillRunning):
            raise
        except DeviceError:
            context.journal.remember(LEFT_RUNNING, spec.key)
            raise
        except context.journal.trouble:
            raise  # nothing that the step did: it goes on at the device, for whoever resumes
        except BaseException:
            try:
                kill_step(self._shell, spec, holder=self._holder(context))
            except DeviceError:  # what is to be known is why it was to end
                context.journal.remember(LEFT_RUNNING, spec.key)
            raise

    def timed(
        self,
        context: Context,
        word: str,
        *,
        command: Sequence[str],
        cwd: str,
        env: Mapping[str, str],
    ) -> tuple[int, str]:
        """As `run`; how it ended, and after how many seconds, stands in the history: once, whoever saw it first."""
        journal, key = context.journal, context.key(word)
        began = time.monotonic()
        status, said = self.run(context, word, command=command, cwd=cwd, env=env)
        seconds = time.monotonic() - began
        visit = key.partition("-")[0]
        told = [one for one in journal.recall(TOLD) or () if one.startswith(f"{visit}-")]
        if key not in told:
            journal.note(
                f"{word} ended with status {status} after {seconds:.1f} s.",
                call=key,
                data={"status": status, "seconds": round(seconds, 3)},
            )
            journal.remember(TOLD, [*told, key])
        return status, said

    def _to_its_end(
        self, context: Context, spec: StepSpec, *, limit_seconds: float | None
    ) -> tuple[int, str]:
        journal = context.journal
        tail = bytearray()

        def heard(data: bytes) -> None:
            tail.extend(data)
            del tail[:-TAIL_BYTES]
            journal.output(spec.key, data)

        while True:
            left = journal.seconds_left()
            try:
                end = run_step(
                    self._shell,
                    spec,
                    holder=self._holder(context),
                    limit_seconds=left if limit_seconds is None else min(left, limit_seconds),
                    on_output=heard,
                    on_tick=context.tick,
                    output_from=journal.output_stored(spec.key),
                )
            except StepStillRunning as other:
                if not other.key.startswith(BACKUP) or left < BUSY_SECONDS:
                    raise
                pause_for(context, BUSY_SECONDS)
            else:
                return end.status, tail.decode(errors="replace")

    def end_what_was_left(self, context: Context, *, but: str = "") -> None:
        """No step runs any more of which nobody heard how it ended, as when its state was over while the device was away.

        It is waited for the device as long as the state's limit allows. The step `but` is left alone.
        """
        key = context.journal.recall(LEFT_RUNNING)
        if not key or key == but:
            return
        left = StepSpec(key=key, command=["true"], cwd="/")
        patiently(
            context, self._shell, lambda: kill_step(self._shell, left, holder=self._holder(context))
        )
        context.journal.note("Nothing of this call runs on the device any more.", call=key)
        context.journal.remember(LEFT_RUNNING, None)

    def _holder(self, context: Context) -> Holder:
        return Holder(
            fence=context.journal.fence,
            work_root=self._work_root,
            upgrade=context.journal.upgrade,
            kill_after_seconds=self._kill_after_seconds,
        )


def demand_good_end(ended: tuple[int, str], *, word: str, says: str) -> str:
    """What a call that has ended with status 0 said; else OutOfSpace, or StepFailed: what `says`, then its last line."""
    status, said = ended
    try:
        return demand_success(Result(status=status, output=said.encode()))
    except CommandFailed:
        last = said.strip().rpartition("\n")[2] or f"it ended with status {status}"
        raise StepFailed(f"{says}: {last}", call=word, output=said) from None
