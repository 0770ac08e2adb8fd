"""The Shell over a Link: everything that local and SSH devices share, which is all but the Link."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from devices.drivers import commands, files, trees
from devices.drivers.link import Link
from devices.drivers.shell import OnOutput, OnTick, Result, TreeFile
from devices.drivers.words import shell_text
from devices.errors import CommandFailed, DeviceUnreachable, HostKeyChanged, HostKeyUnknown

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Booting:
    """How a device reboots, and where it says which boot this is."""

    boot_id_path: str = "/proc/sys/kernel/random/boot_id"
    reboot_command: Sequence[str] = ("reboot",)


class LinkedShell:
    """A Shell over any Link; see `devices.drivers.shell.Shell` for what each method promises."""

    def __init__(self, link: Link, *, kill_after_seconds: float, booting: Booting) -> None:
        self._link = link
        self._kill_after_seconds = kill_after_seconds
        self._booting = booting

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(  # noqa: PLR0913 - the Shell protocol's own signature
        self,
        command: Sequence[str],
        *,
        limit_seconds: float,
        stdin: Iterable[bytes] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        on_output: OnOutput | None = None,
        on_tick: OnTick | None = None,
        keep_bytes: int = 65536,
    ) -> Result:
        return commands.converse(
            self._link,
            shell_text(command, env=env, cwd=cwd),
            watch=commands.Watch(limit_seconds=limit_seconds, on_tick=on_tick),
            input_=stdin,
            on_output=on_output,
            keep_bytes=keep_bytes,
            kill_after_seconds=self._kill_after_seconds,
        )

    def put_file(self, path: str, chunks: Iterable[bytes], *, mode: int = 0o644) -> int:
        return files.put_file(self._link, path, chunks, mode=mode)

    def get_file(self, path: str) -> Iterator[bytes]:
        return files.get_file(self._link, path)

    def put_tree(self, path: str, entries: Iterable[TreeFile]) -> int:
        return trees.put_tree(self._link, path, entries)

    def get_tree(self, path: str) -> Iterator[TreeFile]:
        return trees.get_tree(self._link, path)

    def remove_tree(self, path: str) -> None:
        files.remove_tree(self._link, path)

    def free_bytes(self, path: str) -> int:
        return files.free_bytes(self._link, path)

    def boot_id(self) -> str:
        return files.boot_id(self._link, self._booting.boot_id_path)

    def reboot(self, *, limit_seconds: float, on_tick: OnTick | None = None) -> None:
        watch = commands.Watch(limit_seconds=limit_seconds, on_tick=on_tick)
        before = self.boot_id()
        try:
            result = self.run(
                self._booting.reboot_command, limit_seconds=limit_seconds, on_tick=on_tick
            )
        except DeviceUnreachable:
            pass  # the connection goes down with the device, often before the command's status is told
        else:
            if result.status > 0:
                commands.demand_success(result)
        self._await_boot_other_than(before, watch)

    def _await_boot_other_than(self, before: str, watch: commands.Watch) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while watch.left_seconds() > 0:
            watch.pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            self.close()
            try:
                if self.boot_id() != before:
                    return
            except (HostKeyUnknown, HostKeyChanged):
                raise
            except (DeviceUnreachable, CommandFailed):
                continue  # going down, or coming up: a login may be refused, /proc not yet mounted
        raise DeviceUnreachable("The device has not come back from its reboot in time.")

    def close(self) -> None:
        self._link.close()
