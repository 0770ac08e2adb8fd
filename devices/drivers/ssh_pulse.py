"""Whether the far end of an SSH connection still lives: asked at intervals, cut when it stays silent.

paramiko's own keepalive is never answered, so it keeps routers awake but notices nothing.
"""

from __future__ import annotations

import threading
import time

import paramiko

_ASKS_PER_SILENCE = 3


class Pulse:
    """Watches one connection until `stop`. A connection that is silent for `silence_seconds`, though asked, is closed."""

    def __init__(self, transport: paramiko.Transport, *, silence_seconds: float) -> None:
        self.transport = transport
        self.silent = False
        self._silence_seconds = silence_seconds
        self._heard_at = time.monotonic()
        self._asked_at: float | None = None
        self._stopped = threading.Event()
        threading.Thread(target=self._ask, name="ssh-pulse-ask", daemon=True).start()
        threading.Thread(target=self._listen, name="ssh-pulse-listen", daemon=True).start()

    def heard(self) -> None:
        """Something came from the device: on a slow line an answer may stand in a long queue."""
        self._heard_at = time.monotonic()

    def stop(self) -> None:
        """The connection is closed, and nobody watches it any more."""
        self._stopped.set()
        self.transport.close()

    def _ask(self) -> None:
        while not self._stopped.wait(self._silence_seconds / _ASKS_PER_SILENCE):
            if not self.transport.is_active():
                return
            self._asked_at = time.monotonic()
            try:
                self.transport.global_request("keepalive@openssh.com", wait=True)
            except (paramiko.SSHException, OSError, EOFError):
                return
            self._asked_at = None
            self.heard()

    def _listen(self) -> None:
        while not self._stopped.wait(self._silence_seconds / 10):
            if not self.transport.is_active():
                return
            asked = self._asked_at
            if asked is None:
                continue
            if time.monotonic() - max(asked, self._heard_at) > self._silence_seconds:
                self.silent = True
                self.stop()
