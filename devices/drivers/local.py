"""The machine that the portal itself runs on, as a device: its processes are ours, so no connection can break."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from typing import IO

from devices.drivers.link import Moved
from devices.drivers.linked_shell import Booting, LinkedShell
from devices.errors import DeviceUnreachable

_PIECE_BYTES = 65536
_ERROR_BYTES = 2048
# The worker's own environment holds the portal's secrets; of that, a device's commands get what a login would set.
_LOGIN_VARIABLES = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER")


class LocalShell(LinkedShell):
    """A Shell on this very machine, as the user who runs us."""

    def __init__(self, *, kill_after_seconds: float = 10.0, booting: Booting | None = None) -> None:
        super().__init__(
            LocalLink(), kill_after_seconds=kill_after_seconds, booting=booting or Booting()
        )


class LocalLink:
    """Starts processes, each the leader of a session of its own."""

    def open(self, words: Sequence[str]) -> LocalStream:
        env = {name: os.environ[name] for name in _LOGIN_VARIABLES if name in os.environ}
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=env,
                cwd=_home(env),
                start_new_session=True,
            )
        except OSError as error:
            raise DeviceUnreachable(f"This machine starts no shell: {error.strerror}.") from None
        return LocalStream(process)

    def close(self) -> None:
        """There is nothing to close: each stream is closed by whoever opened it."""


def _home(env: dict[str, str]) -> str:
    home = env.get("HOME", "/")
    return home if os.access(home, os.R_OK | os.X_OK) else "/"


class LocalStream:
    """One child process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._in, self._out, self._err = _pipes(process)
        self._errors = b""
        self._open_output = True
        self._selector = selectors.DefaultSelector()
        for pipe in (self._in, self._out, self._err):
            os.set_blocking(pipe.fileno(), False)
        self._selector.register(self._out, selectors.EVENT_READ)
        self._selector.register(self._err, selectors.EVENT_READ)
        self._writing = False

    def move(self, pending: memoryview, *, wait_seconds: float) -> Moved:
        self._want_to_write(wanted=bool(pending) and not self._in.closed)
        taken = len(pending) if self._in.closed else 0
        output: bytes | None = None if self._open_output else b""
        if not self._selector.get_map():
            return Moved(taken=taken, output=output)
        for key, _ in self._selector.select(0 if taken else wait_seconds):
            if key.fileobj is self._in:
                taken = self._write(pending)
            elif key.fileobj is self._out:
                output = self._read(self._out)
                self._open_output = output != b""
            else:
                self._read_errors()
        return Moved(taken=taken, output=output)

    def _want_to_write(self, *, wanted: bool) -> None:
        if wanted and not self._writing:
            self._selector.register(self._in, selectors.EVENT_WRITE)
        elif not wanted and self._writing:
            self._selector.unregister(self._in)
        self._writing = wanted

    def _write(self, pending: memoryview) -> int:
        try:
            return os.write(self._in.fileno(), pending[:_PIECE_BYTES])
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            self.end_input()
            return len(pending)

    def _read(self, pipe: IO[bytes]) -> bytes | None:
        try:
            piece = os.read(pipe.fileno(), _PIECE_BYTES)
        except BlockingIOError:
            return None
        if not piece:
            self._selector.unregister(pipe)
        return piece

    def end_input(self) -> None:
        if not self._in.closed:
            self._want_to_write(wanted=False)
            self._in.close()

    def status(self) -> int | None:
        return self._process.poll()

    def errors(self) -> bytes:
        while self._err in self._selector.get_map() and self._read_errors():
            pass
        return self._errors

    def _read_errors(self) -> bool:
        piece = self._read(self._err)
        self._errors = (self._errors + (piece or b""))[-_ERROR_BYTES:]
        return bool(piece)

    def close(self) -> None:
        self._selector.close()
        for pipe in (self._in, self._out, self._err):
            pipe.close()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise AssertionError("Popen was asked for three pipes")
    return process.stdin, process.stdout, process.stderr
