"""Signals as something to wait for together with everything else."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType
from typing import Final, Self

STOP_SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
_HEARD: Final = (*STOP_SIGNALS, signal.SIGCHLD)


class Signals:
    """Inside the `with` block, signals arrive as bytes at `fileno()`, in their order. Main thread only."""

    def __enter__(self) -> Self:
        self._read_end, self._write_end = os.pipe()
        for end in (self._read_end, self._write_end):
            os.set_blocking(end, False)
        self._handlers = {number: signal.signal(number, _only_wake_up) for number in _HEARD}
        self._wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._read_end)
        os.close(self._write_end)

    def fileno(self) -> int:
        return self._read_end

    def stop_signals(self) -> list[signal.Signals]:
        """The stop signals that came since the last look."""
        try:
            heard = os.read(self._read_end, 4096)
        except BlockingIOError:
            return []
        return [signal.Signals(number) for number in heard if number in STOP_SIGNALS]


def _only_wake_up(_number: int, _frame: FrameType | None) -> None:
    """The number comes through the pipe."""
