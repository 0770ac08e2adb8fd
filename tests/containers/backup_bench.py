"""Volumes that are folders of this machine, and what is in them; a plan for their backups, carried out by a local shell."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from devices.drivers.engine import Engine
from devices.drivers.local import LocalShell
from devices.drivers.shell import Shell
from tests.machine.memory_journal import MemoryJournal
from updates.machine import State
from updates.plan import BackupPlan, ContainerPlan, DevicePlan, DumpPlan, InstalledImage, Mode
from updates.recipes.container.backups import Backups
from updates.recipes.detached import DetachedCalls
from updates.runner import Context

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def plan_for(
    work_root: Path,
    directory: Path,
    *,
    volumes: Sequence[str],
    containers: Sequence[str] = ("app",),
    hook: Sequence[str] = (),
    dumps: Sequence[DumpPlan] = (),
    keep: int = 1,
) -> ContainerPlan:
    """A plan of which backups look at these alone."""
    return ContainerPlan(
        upgrade="4dd9f7a1-0000-4000-8000-000000000001",
        device=DevicePlan(1, "device", "test", str(work_root), "/modules", "/", {}),
        mode=Mode.INSTALL,
        instance_id=1,
        instance="app1",
        module="app",
        image="registry/app:2",
        installed=InstalledImage("registry/app:1", "sha256:1", "sha256:d1", "1"),
        containers=list(containers),
        project_dir="",
        backup=BackupPlan(True, str(directory), keep, list(volumes), list(hook), list(dumps)),
        probes=[],
        health_seconds=10,
        stop_seconds=1,
        min_free_bytes=0,
        force=False,
    )


@dataclass
class Bench:
    """A device that is this machine. `engine` is only needed for hooks and dumps."""

    folder: Path
    volumes: Sequence[str] = ("data",)
    directory: Path | None = None
    engine: Engine | None = None
    plan: ContainerPlan = field(init=False)
    shell: Shell = field(default_factory=LocalShell)
    journal: MemoryJournal = field(init=False)
    moment: datetime = NOON
    places: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for volume in self.volumes:
            self.place(volume).mkdir(parents=True, exist_ok=True)
        directory = self.directory or self.folder / "backups"
        self.plan = plan_for(self.folder / "work", directory, volumes=self.volumes)
        self.journal = MemoryJournal(state=State.INSTALLING)

    def place(self, volume: str = "data") -> Path:
        """Where the volume's contents are."""
        return self.places.get(volume, self.folder / "volumes" / volume / "_data")

    def set(self, **backup: object) -> None:
        """The plan's backups are to be made so."""
        wanted = replace(self.plan.backup, **backup)  # type: ignore[arg-type]
        self.plan = replace(self.plan, backup=wanted)

    @property
    def backups(self) -> Backups:
        calls = DetachedCalls(
            self.shell, work_root=self.plan.device.work_root, kill_after_seconds=1
        )
        return Backups(
            self.plan,
            self.shell,
            cast(Engine, self.engine),
            calls,
            place_of=lambda volume: str(self.place(volume)),
            now=lambda: self.moment,
        )

    @property
    def context(self) -> Context:
        return Context(self.journal)

    def next_visit(self, state: State = State.INSTALLING) -> None:
        """The state is begun anew, by an upgrade that remembers nothing."""
        seq = self.journal.state_seq + 1
        self.journal = MemoryJournal(state=state, state_seq=seq)


def seen(root: Path) -> dict[str, str]:
    """Every path below, and the root itself: kind, mode, owner, what it holds; which names are one file. Bytes as they are."""
    found: dict[str, str] = {}
    first: dict[int, str] = {}
    for path in [os.fsencode(root), *_below(os.fsencode(root))]:
        info = os.lstat(path)
        name = os.fsdecode(path[len(os.fsencode(root)) :])
        owner = f"{info.st_uid}:{info.st_gid} {stat.S_IMODE(info.st_mode):o}"
        if stat.S_ISLNK(info.st_mode):
            found[name] = f"link {info.st_uid}:{info.st_gid} {Path(os.fsdecode(path)).readlink()}"
        elif stat.S_ISDIR(info.st_mode):
            found[name] = f"directory {owner}"
        elif stat.S_ISREG(info.st_mode):
            same = first.setdefault(info.st_ino, name)
            content = Path(os.fsdecode(path)).read_bytes()
            found[name] = f"file {owner} {int(info.st_mtime)} {same} {content!r}"
        else:
            found[name] = f"other {stat.S_IFMT(info.st_mode)} {owner}"
    return found


def _below(root: bytes) -> list[bytes]:
    found = []
    for entry in sorted(os.scandir(root), key=lambda one: one.name):
        found.append(entry.path)
        if entry.is_dir(follow_symlinks=False):
            found += _below(entry.path)
    return found


def put(place: Path, files: dict[str, str]) -> None:
    """These files are there, with all directories on the way."""
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content)


def empty(place: Path, *, but: str) -> None:
    """Nothing is there but what has that name."""
    for path in place.iterdir():
        if path.name != but:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def grow(root: Path) -> None:
    """All kinds of things that a volume may hold."""
    (root / "sub/deep").mkdir(parents=True)
    (root / "empty").mkdir(mode=0o711)
    (root / "plain").write_bytes(b"content" * 1000)
    (root / "sub/secret").write_text("x")
    (root / "sub/secret").chmod(0o600)
    os.chown(root / "sub/secret", 999, 998)
    os.chown(root / "sub/deep", 1234, 4321)
    (root / "sub/run").write_text("#!/bin/sh\n")
    (root / "sub/run").chmod(0o4755)
    (root / "sub/linked").hardlink_to(root / "plain")
    (root / "to-nowhere").symlink_to("/nowhere/at all")
    (root / "to-sub").symlink_to("sub")
    (root / "-dash").write_text("dash")
    (root / ".hidden").write_text("hidden")
    (root / "..two").write_text("two dots")
    (root / "new\nline").write_text("newline")
    (root / "sub" / "new\n").mkdir()
    (root / "sub" / "new\n" / "line").write_text("in it")
    (root / "ünïcode ☃ 'quoted' $x").write_text("unicode")
    Path(os.fsdecode(os.fsencode(root) + b"/not\xffutf8")).write_text("bytes")
    (root / ("long" * 40)).mkdir()
    (root / ("long" * 40) / ("name" * 50)).write_text("long")
    os.mkfifo(root / "pipe")
    os.chown(root, 777, 778)
    root.chmod(0o750)
    with (root / "sparse").open("wb") as file:
        file.truncate(5_000_000)
    os.utime(root / "plain", (1_000_000_000, 1_000_000_000))
