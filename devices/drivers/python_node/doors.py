"""Where the processes of one Python system are: a folder with a socket for each, or one port for all of them."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devices.drivers.dial import Dial
from devices.drivers.nodes import Trouble
from devices.drivers.python_node.conversation import Conversation, NoAnswer
from devices.errors import DeviceUnreachable

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class PythonAddress:
    """The agent's `folder`, for a system on this machine, or the `port` on which it listens on its device's loopback."""

    folder: str = ""
    port: int = 0
    host: str = HOST

    def __str__(self) -> str:
        return self.folder or f"{self.host}:{self.port}"


class Gone(NoAnswer):
    """The process is no more; nothing of it needs to be asked."""

    def __init__(self) -> None:
        super().__init__(Trouble.UNREACHABLE, "The process has ended.")


class FolderDoors:
    """Sockets of processes on this machine."""

    def __init__(self, folder: Path, *, key: bytes, seconds: float) -> None:
        self._folder, self._key, self._seconds = folder, key, seconds

    def processes(self) -> list[int]:
        """The oldest first. Some may be gone."""
        found = []
        try:
            for door in self._folder.glob("*.sock"):
                if door.stem.isdecimal():
                    found.append((door.stat(follow_symlinks=False).st_mtime_ns, int(door.stem)))
        except OSError as error:
            said = f"The folder {self._folder} cannot be read: {error.strerror}."
            raise NoAnswer(Trouble.UNREACHABLE, said) from None
        return [number for _, number in sorted(found)]

    def open(self, process: int) -> Conversation:
        """A talk with that process. Gone if it is no more."""
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(self._seconds)
        try:
            line.connect(str(self._folder / f"{process}.sock"))
        except (ConnectionRefusedError, FileNotFoundError):
            line.close()
            raise Gone from None
        except OSError as error:
            line.close()
            is_full = isinstance(error, BlockingIOError | TimeoutError)
            trouble = Trouble.TIMED_OUT if is_full else Trouble.UNREACHABLE
            raise NoAnswer(trouble, f"Its socket cannot be used: {error.strerror}.") from None
        return Conversation(line, key=self._key, seconds=self._seconds, process=process)


class PortDoors:
    """One of the processes listens, and lets us through to the others."""

    def __init__(self, address: PythonAddress, *, key: bytes, seconds: float, dial: Dial) -> None:
        self._address, self._key, self._seconds, self._dial = address, key, seconds, dial

    def processes(self) -> list[int]:
        """The oldest first."""
        with self.open(0) as talk:
            return talk.processes()

    def open(self, process: int) -> Conversation:
        """A talk with that process."""
        try:
            line = self._dial(self._address.host, self._address.port, self._seconds)
        except DeviceUnreachable as error:
            raise NoAnswer(Trouble.UNREACHABLE, str(error)) from None
        return Conversation(line, key=self._key, seconds=self._seconds, process=process)
