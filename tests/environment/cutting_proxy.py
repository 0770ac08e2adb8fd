"""A way to a server that breaks off in the middle, as mobile networks do."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class CuttingProxy:
    """Forwards connections from `host`:`port` to `target`; cuts the first one that brings more than `after_bytes`, once.

    `requests` are the heads of all requests that began a connection.
    """

    def __init__(self, host: str, *, target: tuple[str, int], after_bytes: int) -> None:
        self._target = target
        self._after = after_bytes
        self._lock = threading.Lock()
        self.cuts = 0
        self.requests: list[str] = []
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            threading.Thread(target=self._upward, args=(near, far), daemon=True).start()
            threading.Thread(target=self._downward, args=(far, near), daemon=True).start()

    def _upward(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while piece := near.recv(65536):
                if piece.split(b" ", 1)[0] in (b"GET", b"POST", b"PUT"):
                    self.requests.append(piece.partition(b"\r\n\r\n")[0].decode(errors="replace"))
                far.sendall(piece)
        _close(far, near)

    def _downward(self, far: socket.socket, near: socket.socket) -> None:
        brought = 0
        with suppress(OSError):
            while piece := far.recv(65536):
                near.sendall(piece)
                brought += len(piece)
                if brought > self._after and self._may_cut():
                    break
        _close(far, near)

    def _may_cut(self) -> bool:
        with self._lock:
            self.cuts += 1
            return self.cuts == 1


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
