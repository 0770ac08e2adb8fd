"""How the portal knows that its watchdog lives: a file that is written anew every few seconds."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from updates.watchdog.durable import read_whole, write_whole
from updates.watchdog.folder import Folder

log = structlog.get_logger(__name__)

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
MOST_BYTES: Final = 8192
MISSED_BEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One beat: `at` in seconds since 1970, `interval` in seconds until the next. `trouble`: why no upgrade is carried out."""

    at: float
    interval: float
    pid: int
    boot_id: str
    version: str
    upgrade: str
    trouble: str

    def is_alive(self, *, now: float) -> bool:
        """Whether its watchdog lives: the beat is young, and not from before the machine started."""
        is_young = -MISSED_BEATS * self.interval <= now - self.at < MISSED_BEATS * self.interval
        return is_young and self.boot_id == boot_id()

    @property
    def seen_at(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def boot_id() -> str:
    """A word that is the same in all containers of a machine until that starts again."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""


def read_heartbeat(folder: Folder) -> Heartbeat | None:
    """The last beat; None when there is none that can be read."""
    try:
        content = read_whole(folder.heartbeat, most_bytes=MOST_BYTES)
        if content is None:
            return None
        beat = Heartbeat(**json.loads(content))
        return beat if isinstance(beat.at, float) and beat.interval > 0 else None
    except (OSError, ValueError, TypeError):
        return None


class Heart:
    """Beats from a thread of its own, so that it is not taken for dead while a step takes long.

    It stops when `is_hung` answers that a step should have ended long ago: then it is as good as dead.
    """

    def __init__(self, folder: Folder, *, interval: float, version: str, trouble: str = "") -> None:
        self._folder = folder
        self._interval = interval
        self._version = version
        self.trouble = trouble
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="heartbeat", daemon=True)
        self.upgrade = ""
        self.is_hung: Callable[[], bool] = lambda: False

    def __enter__(self) -> Self:
        self.beat()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def beat(self) -> None:
        """The file says that we live."""
        said = Heartbeat(
            at=time.time(),
            interval=self._interval,
            pid=os.getpid(),
            boot_id=boot_id(),
            version=self._version,
            upgrade=self.upgrade,
            trouble=self.trouble,
        )
        try:
            write_whole(self._folder.heartbeat, json.dumps(asdict(said)).encode())
        except OSError as error:
            log.warning("no heartbeat", upgrade=self.upgrade, error=str(error))

    def _go_on(self) -> None:
        while not self._stopped.wait(self._interval):
            if self.is_hung():
                log.error("step hangs past its limit", upgrade=self.upgrade)
                continue
            self.beat()
