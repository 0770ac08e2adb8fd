"""Backups of a set of containers' data: a copy while they run, the one that counts after their final stop, and the way back.

All of the copying is done by detached steps on the device: it goes on when a worker dies, and the next one attaches to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Final

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from updates.errors import StepFailed
from updates.plan import ContainerPlan
from updates.recipes.container.backup_copy import Copying, Written
from updates.recipes.container.backup_files import BackupFiles, FoundBackup
from updates.recipes.container.backup_fit import BackupFit
from updates.recipes.container.backup_restore import PuttingBack
from updates.recipes.container.backup_scripts import VERIFY
from updates.recipes.detached import DetachedCalls
from updates.recipes.finding import Finding
from updates.recipes.patience import patiently
from updates.runner import Context

TAIL_BYTES: Final = 2048
COPIED: Final = ("copied_live", "copied_final")
"""The facts that hold what was written, as `Written.as_json`."""
PRUNED: Final = "pruned"
"""The fact that lists the paths of backups that are gone because newer ones are there."""
HOOKED: Final = "hooked"
"""The fact that names the visit of the state in which the hook has ended well."""


class Backups:
    """The backups of one plan. `place_of` says where the device's shell sees a volume's contents.

    `stage` is a directory for what is run while one is written, where somebody else may write into that of the backups.
    """

    def __init__(
        self,
        plan: ContainerPlan,
        shell: Shell,
        engine: Engine,
        calls: DetachedCalls,
        *,
        place_of: Callable[[str], str],
        now: Callable[[], datetime],
        stage: str = "",
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._calls = calls
        self._fit = BackupFit(plan, shell, place_of=place_of)
        self._files = BackupFiles(shell, plan.backup.directory)
        self._copying = Copying(plan, shell, engine, calls, place_of=place_of, now=now, stage=stage)
        self._putting_back = PuttingBack(plan, shell, engine, calls, place_of=place_of)

    def findings(self, *, in_passing: bool = False) -> Iterator[Finding]:
        """What a check finds, without any effect on the device. `in_passing`: what takes long is told, and hinders nothing."""
        yield from self._fit.findings(in_passing=in_passing)

    def live(self, context: Context) -> Written | None:
        """There is a backup from while the containers ran; or, where none can be made so, a note that says why, and None.

        The hook, if there is one, has ended well.
        """
        why_not = self.why_not_live(context)
        if why_not:
            context.journal.note(why_not)
            return None
        if self._plan.backup.hook:
            self._hook(context)
        by_program = patiently(context, self._shell, self._fit.has_program)
        return self._copying.copy(context, is_live=True, by_program=by_program)

    def why_not_live(self, context: Context) -> str:
        """Why no copy can be made while the containers run; empty when one can."""
        return patiently(context, self._shell, self._fit.no_live)

    def final(self, context: Context) -> Written:
        """There is a backup of what is in the volumes now; the containers are stopped."""
        return self._copying.copy(context, is_live=False, by_program=False)

    def restore(self, context: Context, path: str) -> None:
        """The volumes hold exactly what the backup holds, dumped databases what was dumped. The containers are stopped.

        A volume that has no room for a second copy is emptied first when it is a rollback that needs it: a backup that a
        person has ordered to be put back never takes away what there is before it is unpacked.
        """
        self._putting_back.put_back(context, path, may_empty=path != self._plan.data_from)

    def clear(self, context: Context) -> None:
        """Nothing is there of a copy that this upgrade has begun and not brought to its end."""
        self._copying.clear(context)

    def own(self, context: Context) -> list[str]:
        """The paths of those that this upgrade has written."""
        facts = (context.journal.recall(fact) for fact in COPIED)
        return [fact["path"] for fact in facts if fact is not None]

    def prune(
        self, context: Context, *, never: Collection[str], rather: Collection[str] = ()
    ) -> list[str]:
        """Of this instance's backups the newest `keep` good ones are there, and `never`; the paths of those that are gone.

        Those of `rather` go before all others. A damaged one stays as long as there are not enough good ones, so the only
        good one is never deleted.
        """
        good, gone = 0, list[FoundBackup]()
        found = patiently(context, self._shell, self._files.found)
        for file in sorted(found, key=lambda one: one.path in rather):
            context.tick()
            if not file.is_of(self._plan.instance):
                continue
            if good >= self._plan.backup.keep:
                gone += [file] if file.path not in never else []
            elif self._is_good(context, file):
                good += 1
        names = [file.name for file in gone]
        patiently(context, self._shell, lambda: self._files.remove(names))
        paths = [file.path for file in gone]
        context.journal.remember(PRUNED, [*(context.journal.recall(PRUNED) or ()), *paths])
        return paths

    def _is_good(self, context: Context, file: FoundBackup) -> bool:
        word = f"verify-{file.name}"
        command = ["sh", "-c", VERIFY, "sh", file.path]
        status, said = self._calls.timed(context, word, command=command, cwd="/", env={})
        if status:
            context.journal.note(f"A backup is damaged: {said.strip()[-300:]}")
        return status == 0

    def _hook(self, context: Context) -> None:
        journal, call = context.journal, context.key("hook")
        if journal.recall(HOOKED) == call:
            return
        container, tail = self._plan.containers[0], bytearray()

        def heard(data: bytes) -> None:
            tail.extend(data)
            del tail[:-TAIL_BYTES]
            journal.output(call, data)

        status = self._engine.containers.execute(
            container,
            self._plan.backup.hook,
            limit_seconds=journal.seconds_left(),
            on_output=heard,
            on_tick=context.tick,
        )
        if status:
            raise StepFailed(
                f"The hook that readies the data of {container} ended with status {status}.",
                call="hook",
                output=tail.decode(errors="replace"),
            )
        journal.remember(HOOKED, call)
