"""Putting a backup back: all volumes unpacked beside what is there, then one after the other replaced, then dumps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from updates.errors import BackupRefused, StepFailed
from updates.formats.backup_file import Manifest, dump_member
from updates.plan import ContainerPlan, DumpPlan
from updates.recipes.container.backup_copy import dump_label
from updates.recipes.container.backup_files import BackupFiles
from updates.recipes.container.backup_places import Place, places
from updates.recipes.container.backup_scripts import (
    EMPTY,
    NO_ROOM,
    SWAP,
    UNPACK,
    UNPACK_DUMPS,
    VERIFY,
)
from updates.recipes.container.data_places import called
from updates.recipes.detached import DetachedCalls, demand_good_end
from updates.recipes.patience import patiently
from updates.runner import Context

DUMPS_BACK: Final = "dumps_back"
"""The fact that lists the dumps that are put back, with the visit of the state."""


class PuttingBack:
    """What one upgrade puts back."""

    def __init__(
        self,
        plan: ContainerPlan,
        shell: Shell,
        engine: Engine,
        calls: DetachedCalls,
        *,
        place_of: Callable[[str], str],
    ) -> None:
        self._plan = plan
        self._shell = shell
        self._engine = engine
        self._calls = calls
        self._place_of = place_of
        self._files = BackupFiles(shell, plan.backup.directory)

    def put_back(self, context: Context, path: str, *, may_empty: bool) -> None:
        """Volumes and databases hold what the backup holds. `may_empty`: a volume without room for both is emptied first.

        Until all volumes are unpacked nothing else is changed.
        """
        self._step(context, "verify-backup", VERIFY, path)
        manifest = patiently(context, self._shell, lambda: self._files.manifest(path))
        found = self._places(context, self._prefixes(context, manifest))
        # What a crash leaves is known by the very backup that it is of.
        named = hashlib.sha256(f"{path} {self._sum(context, path)}".encode()).hexdigest()
        for number, place in enumerate(found):
            self._unpack(context, path, named, place, number=number, may_empty=may_empty)
        for number, place in enumerate(found):
            self._step(
                context,
                f"put-back-{number}",
                SWAP,
                *(place.path, place.prefix, "\n".join(place.walked)),
            )
            context.journal.note(f"What is in {called(place.volume)} is as in {path}.")
        if manifest is not None and manifest.dumps:
            self._put_back_dumps(context, path, manifest)

    def _sum(self, context: Context, path: str) -> str:
        size = patiently(context, self._shell, lambda: self._files.size(path))
        return patiently(context, self._shell, lambda: self._files.sum(path)) or str(size)

    def _prefixes(self, context: Context, manifest: Manifest | None) -> dict[str, str]:
        """Below which prefix each volume is that is put back. BackupRefused when it cannot be known."""
        volumes = self._plan.backup.volumes
        if manifest is None:
            if len(volumes) > 1:
                raise BackupRefused(
                    "It does not say which volumes it is of, and there are several here."
                )
            return dict.fromkeys(volumes, ".")
        if manifest.instance != self._plan.instance:
            context.journal.note(f"It is a backup of {manifest.instance}.")
        for volume in volumes:
            if volume not in manifest.volumes:
                context.journal.note(
                    f"The backup does not hold {called(volume)}: that stays as it is."
                )
        return {name: at for name, at in manifest.volumes.items() if name in volumes}

    def _places(self, context: Context, prefixes: dict[str, str]) -> list[Place]:
        directory = self._plan.backup.directory
        found = patiently(
            context,
            self._shell,
            lambda: places(
                self._shell, list(prefixes), place_of=self._place_of, directory=directory
            ),
        )
        return [Place(one.volume, one.path, prefixes[one.volume], one.walked) for one in found]

    def _unpack(
        self,
        context: Context,
        path: str,
        named: str,
        place: Place,
        *,
        number: int,
        may_empty: bool,
    ) -> None:
        walked = "\n".join(place.walked)
        words = (path, named, place.path, place.prefix, walked)
        status, said = self._call(context, f"unpack-{number}", UNPACK, *words)
        if status == NO_ROOM and may_empty:
            context.journal.note(
                f"There is no room beside what is in {place.volume}: it is emptied, and the backup unpacked in its place."
            )
            self._step(context, f"empty-{number}", EMPTY, place.path, walked)
            status, said = self._call(context, f"unpack-{number}-again", UNPACK, *words)
        self._demand(status, said, f"unpack-{number}")

    def _put_back_dumps(self, context: Context, path: str, manifest: Manifest) -> None:
        journal = context.journal
        by_label = {dump_label(dump): dump for dump in self._plan.backup.dumps}
        folder = f"{self._plan.device.work_root}/{self._plan.upgrade}/dumps"
        self._step(context, "unpack-dumps", UNPACK_DUMPS, path, folder)
        for number, label in enumerate(manifest.dumps):
            done = list(journal.recall(DUMPS_BACK) or ())
            key = context.key(str(number))
            if key in done:
                continue
            if label not in by_label:
                journal.note(f"Nothing says any more how the dump of {label} is put back.")
                continue
            self._put_back_dump(context, by_label[label], f"{folder}/{dump_member(number)}")
            journal.remember(DUMPS_BACK, [*done, key])
        patiently(context, self._shell, lambda: self._shell.remove_tree(folder))

    def _put_back_dump(self, context: Context, dump: DumpPlan, file: str) -> None:
        containers = self._engine.containers
        size = patiently(context, self._shell, lambda: self._files.size(file))
        if size is None:
            raise StepFailed(f"The dump of {dump.container} is not in the backup.")
        patiently(
            context,
            self._engine,
            lambda: containers.write_file(
                dump.container, dump.file, self._shell.get_file(file), size=size
            ),
        )
        said = bytearray()
        status = patiently(
            context,
            self._engine,
            lambda: containers.execute(
                dump.container,
                dump.restore,
                limit_seconds=context.journal.seconds_left(),
                on_output=said.extend,
                on_tick=context.tick,
            ),
        )
        # It holds the whole database, and has done its work.
        patiently(
            context,
            self._engine,
            lambda: containers.write_file(dump.container, dump.file, [], size=0),
        )
        if status:
            text = said.decode(errors="replace")
            raise StepFailed(
                f"The dump could not be put back into {dump.container}: its command ended with status {status}.",
                call="put-back-dump",
                output=text[-2048:],
            )
        context.journal.note(f"{dump.container} has what was dumped of it.")

    def _call(self, context: Context, word: str, script: str, *arguments: str) -> tuple[int, str]:
        command = ["sh", "-c", script, "sh", *arguments]
        return self._calls.timed(context, word, command=command, cwd="/", env={})

    def _step(self, context: Context, word: str, script: str, *arguments: str) -> None:
        status, said = self._call(context, word, script, *arguments)
        self._demand(status, said, word)

    def _demand(self, status: int, said: str, word: str) -> None:
        says = f"The backup could not be put back ({word})"
        demand_good_end((status, said), word=word, says=says)
