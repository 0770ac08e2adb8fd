"""Writing one backup: its name claimed, what stands before the data staged, the data copied by a detached step."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from devices.drivers.commands import demand_success
from devices.drivers.engine import Engine
from devices.drivers.shell import Shell
from devices.drivers.words import quoted
from devices.errors import CommandFailed, EngineRefused
from updates.errors import BackupRefused, StepFailed
from updates.formats.backup_file import Manifest, backup_name, dump_header, prefixes
from updates.formats.tar.writer import padding
from updates.plan import ContainerPlan, DumpPlan
from updates.recipes.container.backup_files import BackupFiles
from updates.recipes.container.backup_places import (
    SHORT_SECONDS,
    Place,
    directories,
    entries,
    places,
)
from updates.recipes.container.backup_scripts import CLAIM, NAME_TAKEN, WRITE
from updates.recipes.detached import DetachedCalls, demand_good_end
from updates.recipes.patience import patiently
from updates.runner import Context

PROGRAM: Final = Path(__file__).with_name("live_copy.py")
BEGINS: Final = "upgrade-backup-"
PRIVATE: Final = 0o600
END_BYTES: Final = 1024
MOST_NAMES: Final = 60
TRIES: Final = 3
STAGED: Final = "backup_staged"
"""The fact that names the call for which all lies there."""


@dataclass(frozen=True, slots=True)
class Written:
    """A backup that is on the device, whole. `size` is in bytes, `taken_at` ISO 8601."""

    path: str
    size: int
    sha256: str
    taken_at: str
    is_live: bool

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Copying:
    """The backups that one upgrade writes, by way of `stage`, or of their directory.

    What is remembered in its journal outlives the worker, and is not done twice.
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
        self._place_of = place_of
        self._now = now
        self._stages = stage
        self._directory = plan.backup.directory
        self._files = BackupFiles(shell, self._directory)

    def copy(self, context: Context, *, is_live: bool, by_program: bool) -> Written:
        """There is a backup of the volumes and dumps. `by_program`: by our own, that knows SQLite; else by tar."""
        kind = "live" if is_live else "final"
        fact = f"copied_{kind}"
        done = context.journal.recall(fact)
        if done is not None and self._size(context, done["path"]) == done["size"]:
            return Written(**done)
        name, taken_at = self._claimed(context, fact)
        manifest = self._manifest(is_live=is_live, taken_at=taken_at)
        tries = TRIES if is_live and not by_program else 1
        for number in range(1, tries + 1):
            if self._size(context, self._files.path(name)) is not None:
                break  # whoever wrote it did not come to say so
            word = f"copy-{kind}-{number}"
            self._stage(context, name, manifest, call=context.key(word), by_program=by_program)
            command = ["sh", "-c", WRITE, "sh", self._directory, name, self._part(name)]
            ended = self._calls.timed(context, word, command=command, cwd="/", env={})
            if number == tries:
                demand_good_end(ended, word=word, says="The backup could not be written")
        written = patiently(context, self._shell, lambda: self._look(name, manifest))
        context.journal.remember(fact, written.as_json())
        context.journal.note(f"The backup {written.path} is written and read back.")
        return written

    def clear(self, context: Context) -> None:
        """Nothing is there of a copy that this upgrade has begun and not brought to its end."""
        for kind in ("live", "final"):
            known = context.journal.recall(f"copied_{kind}_name")
            if known is not None:
                for directory in {self._directory, self._stages or self._directory}:
                    part = f"{directory}/.{known['name']}.part"
                    patiently(context, self._shell, partial(self._shell.remove_tree, part))

    def _size(self, context: Context, path: str) -> int | None:
        return patiently(context, self._shell, lambda: self._files.size(path))

    def _look(self, name: str, manifest: Manifest) -> Written:
        path = self._files.path(name)
        size, found = self._files.size(path), self._files.sum(path)
        if size is None or not found:
            raise StepFailed(f"The backup {path} was written, and is not there any more.")
        return Written(path, size, found, manifest.taken_at, manifest.is_live)

    def _claimed(self, context: Context, fact: str) -> tuple[str, datetime]:
        """A name that nobody else writes to, the same for whoever takes over."""
        journal, fact = context.journal, f"{fact}_name"
        known = journal.recall(fact)
        if known is not None:
            return known["name"], datetime.fromisoformat(known["at"])
        moment = self._now().replace(microsecond=0)
        for second in range(MOST_NAMES):
            at = moment + timedelta(seconds=second)
            if self._claim(context, backup_name(at)):
                journal.remember(fact, {"name": backup_name(at), "at": at.isoformat()})
                return backup_name(at), at
        raise BackupRefused(f"No name for a backup is free in {self._directory}.")

    def _claim(self, context: Context, name: str) -> bool:
        """Whether the name is ours now; False: somebody else has it."""
        command = ["sh", "-c", CLAIM, "sh", self._directory, name, BEGINS]
        result = patiently(
            context, self._shell, lambda: self._shell.run(command, limit_seconds=SHORT_SECONDS)
        )
        if result.status == NAME_TAKEN:
            return False
        demand_success(result)
        return True

    def _places(self, context: Context) -> list[Place]:
        volumes = self._plan.backup.volumes
        return patiently(
            context,
            self._shell,
            lambda: places(
                self._shell, volumes, place_of=self._place_of, directory=self._directory
            ),
        )

    def _manifest(self, *, is_live: bool, taken_at: datetime) -> Manifest:
        plan = self._plan
        return Manifest(
            instance=plan.instance,
            version=plan.installed.version,
            digest=plan.installed.digest,
            is_live=is_live,
            taken_at=taken_at.isoformat(),
            volumes=prefixes(plan.backup.volumes),
            dumps=[dump_label(dump) for dump in plan.backup.dumps],
        )

    def _stage(
        self, context: Context, name: str, manifest: Manifest, *, call: str, by_program: bool
    ) -> None:
        """All that `call` reads lies there. Once: whoever takes over must not change what it reads."""
        if context.journal.recall(STAGED) == call:
            return
        found = self._places(context)
        # The program writes the directories on the way by itself.
        self._stage_head(context, name, manifest, walked=[] if by_program else found)
        if by_program:
            self._stage_program(context, name, found)
        else:
            text = patiently(
                context, self._shell, lambda: "".join(self._tar(found, is_live=manifest.is_live))
            )
            self._put(context, name, "produce.sh", text.encode(errors="surrogateescape"))
        context.journal.remember(STAGED, call)

    def _stage_head(
        self, context: Context, name: str, manifest: Manifest, *, walked: list[Place]
    ) -> None:
        """What stands before the data: what it says of itself, directories that are not copied as wholes, dumps."""
        piece = manifest.head(
            patiently(
                context,
                self._shell,
                lambda: [row for place in walked for row in directories(self._shell, place)],
            )
        )
        dumps = self._plan.backup.dumps
        for number, dump in enumerate(dumps):
            size = self._dump(context, dump, self._part(name, f"piece-{2 * number + 1:03d}"))
            header = dump_header(number, size=size)
            self._put(context, name, f"piece-{2 * number:03d}", piece + header)
            piece = padding(size)
        self._put(context, name, f"piece-{2 * len(dumps):03d}", piece)

    def _dump(self, context: Context, dump: DumpPlan, path: str) -> int:
        """What the dump's command writes lies there; how many bytes."""

        def dumped() -> int:
            content = self._engine.containers.read_command(
                dump.container,
                dump.command,
                limit_seconds=context.journal.seconds_left(),
                on_tick=context.tick,
            )
            return self._shell.put_file(path, content, mode=PRIVATE)

        try:
            size = patiently(context, self._engine, dumped)
        except (CommandFailed, EngineRefused) as error:
            raise StepFailed(f"{dump.container} could not be dumped: {error}") from None
        context.journal.note(f"{dump.container} is dumped: {size} bytes.")
        return size

    def _stage_program(self, context: Context, name: str, found: list[Place]) -> None:
        wanted = {
            "scratch": self._part(name),
            "left_out": [place.below(place.walked[-1]) for place in found if place.walked],
            "parts": [{"place": place.path, "prefix": place.prefix} for place in found],
        }
        self._put(context, name, "live_copy.py", PROGRAM.read_bytes())
        self._put(context, name, "wanted.json", json.dumps(wanted).encode())
        text = b'exec python3 "$1/live_copy.py" "$1/wanted.json"\n'
        self._put(context, name, "produce.sh", text)

    def _tar(self, found: list[Place], *, is_live: bool) -> Iterator[str]:
        """A script that writes all but the head with one tar, so that a file with two names stays one file."""
        words = []
        for place in found:
            if place.prefix == ".":
                yield f"cd {quoted(place.path)} || exit 1\n"
            else:
                # Through the link, the names in the tar begin with the volume's.
                link = f'"$1/farm/"{quoted(place.prefix)}'
                yield f'mkdir -p -- "$1/farm" && ln -sfn -- {quoted(place.path)} {link} || exit 1\n'
            words += [quoted(place.member(path)) for path in entries(self._shell, place)]
        if len(found) > 1:
            yield 'cd "$1/farm" || exit 1\n'
        if not words:
            yield f"head -c {END_BYTES} /dev/zero\n"
            return
        yield f"tar --numeric-owner -cf - -- {' '.join(words)}\n"
        # While programs go on writing, GNU's says 1 of files that changed meanwhile.
        yield "status=$?\n"
        yield '[ "$status" != 1 ] || status=0\n' if is_live else ""
        yield "exit $status\n"

    def _part(self, name: str, file: str = "") -> str:
        return f"{self._stages or self._directory}/.{name}.part/{file}".removesuffix("/")

    def _put(self, context: Context, name: str, file: str, content: bytes) -> None:
        path = self._part(name, file)
        patiently(context, self._shell, lambda: self._shell.put_file(path, [content], mode=PRIVATE))


def dump_label(dump: DumpPlan) -> str:
    """What a dump is of, so that it is put back to the same."""
    return f"{dump.container}:{dump.file}"
