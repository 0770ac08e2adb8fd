"""Loopback ports of the machine, also found on the loopback of a private network."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading

from tests.environment.network import NAMESPACES, PrivateNetwork

_CLONE_NEWNET = 0x40000000


class Door:
    """`127.0.0.1:port` inside the network leads to `127.0.0.1:port` of the machine, until `close`."""

    def __init__(self, network: PrivateNetwork, *, port: int) -> None:
        self._port = port
        self._listener = listening_in(network, port)
        threading.Thread(target=self._serve, name=f"door-{port}", daemon=True).start()

    def close(self) -> None:
        """Nobody goes through any more; who is in the middle goes on."""
        # Closing alone would not wake the thread that waits in accept.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                inside, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(inside,), daemon=True).start()

    def _join(self, inside: socket.socket) -> None:
        # With nobody there it is closed, as if refused.
        place = ("127.0.0.1", self._port)
        with inside, contextlib.suppress(OSError), socket.create_connection(place) as outside:
            back = threading.Thread(target=_pass_on, args=(outside, inside), daemon=True)
            back.start()
            _pass_on(inside, outside)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def listening_in(network: PrivateNetwork, port: int) -> socket.socket:
    """A socket that listens on the network's own loopback."""
    # It belongs to the network in which it was made, and only one thread of ours goes there.
    made: list[socket.socket] = []
    trouble: list[OSError] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        handle = os.open(NAMESPACES / network.name, os.O_RDONLY)
        try:
            if libc.setns(handle, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            made.append(socket.create_server(("127.0.0.1", port), backlog=64))
        except OSError as error:
            trouble.append(error)
        finally:
            os.close(handle)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return made[0]
