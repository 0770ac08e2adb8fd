"""Fleetwright's agent: a Python system that imports this one file can be patched by the portal while it runs.

`start` serves the process that calls it and every process forked from it. It needs the standard library and Python 3.9 or newer.
How a system carries it is said in Fleetwright's python-agent.md.

The agent is a guarded door, and remembers which source each module was loaded from. What goes through the door is the portal's
own engine, sent by the portal that uses it: it does what the portal asks. So this file stays as it is when the portal gets newer.
Whoever has the key can run code in this process, as patches are code.
"""

from __future__ import annotations

import atexit
import hashlib
import hmac
import importlib
import json
import os
import secrets
import selectors
import socket
import stat
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

MAGIC = b"FWA1"
MAX_BYTES = 192 << 20
MAX_CALLERS = 64
KEY_BYTES = 16
HANDSHAKE_SECONDS, CALL_SECONDS, FORK_SECONDS, GATE_SECONDS = 5.0, 90.0, 30.0, 2.0
ENGINE = "fleetwright_engine"
NEEDED = ("abc", "ast", "base64", "copy", "enum", "functools", "gc", "importlib.util", "types")
"""What the engine imports; a process may not be able to do that any more when it comes (after chroot, say)."""

_agent: Agent | None = None


class Source(NamedTuple):
    """A module as it was loaded: its file, and what was in it then."""

    path: Path
    data: bytes


def start(
    *, root: str, folder: str, key: str | bytes, version: str = "", port: int | None = None
) -> None:
    """This process, and every one forked from it, can be patched. Call it early: before most modules are loaded.

    `root`: the folder of the system's files; only files in it can be patched. `folder`: where each process has its socket;
    nobody but this user may write there. `key`: at least 16 bytes, which the portal knows too. `version`: of the system.
    `port`: also listen there, on 127.0.0.1, for all processes with the same `folder`. RuntimeError if it was started before,
    ValueError for a key that is too short or a folder that others may write to.
    """
    global _agent
    if _agent is not None:
        raise RuntimeError("The agent runs already in this process.")
    secret = (key.encode() if isinstance(key, str) else bytes(key)).strip()
    if len(secret) < KEY_BYTES:
        raise ValueError(f"The agent's key has fewer than {KEY_BYTES} bytes.")
    home = Path(folder)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = home.stat()
    if facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError("The agent's folder is not this user's own, or others may write to it.")
    _agent = Agent(root=Path(root).resolve(), folder=home.resolve(), key=secret, version=version)
    _agent.port = port
    for name in NEEDED:
        importlib.import_module(name)
    _agent.note_loaded()
    with_path = [n for n, finder in enumerate(sys.meta_path) if finder is PathFinder]
    sys.meta_path.insert(with_path[0] if with_path else 0, _Finder(_agent))
    _agent.serve()
    os.register_at_fork(
        before=_agent.before_fork,
        after_in_parent=_agent.after_fork,
        after_in_child=_agent.begin_child,
    )


class Agent:
    """The door of one process. `sources` has each module of the root by its name in sys.modules."""

    port: int | None = None

    def __init__(self, *, root: Path, folder: Path, key: bytes, version: str) -> None:
        self.root, self.folder, self.version, self._key = root, folder, version, key
        self.sources: dict[str, Source] = {}
        self._elsewhere: set[str] = set()
        self.fences: dict[str, int] = {}
        self.mending = threading.Lock()  # while modules are changed no process is forked
        self._turn = threading.Lock()
        self._callers = threading.BoundedSemaphore(MAX_CALLERS)
        self._listeners: list[socket.socket] = []
        self._engine = ""

    def __repr__(self) -> str:
        return f"<Agent of {self.root}>"

    # What is loaded

    def note_loaded(self) -> None:
        """What was loaded without our loader is in `sources` too, as its file is now."""
        for name, module in list(sys.modules.items()):
            loader, file = getattr(module, "__loader__", None), getattr(module, "__file__", None)
            if name not in self.sources.keys() | self._elsewhere and file:
                self._elsewhere.add(name)
                if (
                    isinstance(loader, SourceFileLoader)
                    and self.root in Path(file).resolve().parents
                ):
                    with suppress(OSError):
                        self.note(name, Path(file), Path(file).read_bytes())

    def note(self, name: str, file: Path, data: bytes) -> None:
        """The module was loaded from that file, and this was in it."""
        self.sources[name] = Source(file.resolve(), data)

    # Processes

    def before_fork(self) -> None:
        self._held = self.mending.acquire(timeout=FORK_SECONDS)

    def after_fork(self) -> None:
        if self._held:
            self.mending.release()

    def begin_child(self) -> None:
        """A process that was just forked has a door of its own, and the code of the one that it comes from."""
        for listener in self._listeners:
            listener.close()
        self.mending, self._turn = threading.Lock(), threading.Lock()
        self._callers = threading.BoundedSemaphore(MAX_CALLERS)
        self.serve()

    def processes(self) -> list[int]:
        """The processes that have a door in the folder, the oldest first."""
        doors = []
        for door in self.folder.glob("*.sock"):
            with suppress(ValueError, FileNotFoundError):
                number, since = int(door.stem), door.stat().st_mtime_ns
                try:
                    self._knock(number).close()
                except ConnectionRefusedError:
                    door.unlink(missing_ok=True)  # of a process that is no more
                    continue
                except OSError:
                    pass  # frozen, with many callers waiting
                doors.append((since, number))
        return [number for _, number in sorted(doors)]

    # The door

    def serve(self) -> None:
        """The socket of this process is in the folder, and somebody answers there."""
        self.processes()
        own, early = self._door(os.getpid()), self.folder / f".{os.getpid()}"
        early.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(early))
        early.chmod(0o600)
        listener.listen(MAX_CALLERS)
        early.replace(own)  # whoever sees the socket is answered
        atexit.register(self._leave, os.getpid())
        self._listeners = [listener]
        threading.Thread(target=self._listen, daemon=True, name="fleetwright-agent").start()

    def _door(self, number: int) -> Path:
        return self.folder / f"{number}.sock"

    def _leave(self, number: int) -> None:
        if number == os.getpid():
            with suppress(OSError):  # this process may have given up its rights
                self._door(number).unlink()

    def _knock(self, number: int) -> socket.socket:
        other = socket.socket(socket.AF_UNIX)
        other.settimeout(HANDSHAKE_SECONDS)
        try:
            other.connect(str(self._door(number)))
        except OSError:
            other.close()
            raise
        return other

    def _listen(self) -> None:
        listeners, waiting = self._listeners, selectors.DefaultSelector()
        waiting.register(listeners[0], selectors.EVENT_READ)
        while True:
            if self.port is not None and len(listeners) == 1:
                with suppress(
                    OSError
                ):  # another process of the system has it; take over when that ends
                    listeners.append(socket.create_server(("127.0.0.1", self.port)))
                    waiting.register(listeners[1], selectors.EVENT_READ)
            for ready, _ in waiting.select(GATE_SECONDS):
                with suppress(OSError):
                    line, _ = ready.fileobj.accept()  # type: ignore[union-attr]
                    threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        if not self._callers.acquire(blocking=False):
            line.close()
            return
        try:
            with line, suppress(OSError, ValueError):
                line.settimeout(HANDSHAKE_SECONDS)
                hello = _receive(line, 8)
                number = int.from_bytes(hello[4:], "big")
                if hello[:4] == MAGIC and number in (0, os.getpid()):
                    self._converse(line)
                elif hello[:4] == MAGIC:
                    self._relay(line, number)
        finally:
            self._callers.release()

    def _relay(self, line: socket.socket, number: int) -> None:
        """The caller and another process of the system hear each other; each makes sure of the other itself."""
        with self._knock(number) as other:
            other.sendall(MAGIC + bytes(4))
            ends = ((line, other), (other, line))
            for end in (line, other):
                end.settimeout(CALL_SECONDS)
            back = threading.Thread(target=_pump, args=ends[1], daemon=True)
            back.start()
            _pump(*ends[0])
            back.join()

    def _converse(self, line: socket.socket) -> None:
        ours = secrets.token_bytes(32)
        line.sendall(ours)
        bound = ours + _receive(line, 32)
        if not hmac.compare_digest(self._proof(b"caller", bound), _receive(line, 32)):
            line.sendall(b"0")
            return
        line.sendall(b"1" + self._proof(b"agent", bound))
        line.settimeout(CALL_SECONDS)
        while True:
            size, proof = int.from_bytes(_receive(line, 4), "big"), _receive(line, 32)
            if size > MAX_BYTES:
                return
            body = _receive(line, size)
            if not hmac.compare_digest(self._proof(b"call", bound, body), proof):
                return
            answer = json.dumps(self._obey(json.loads(body))).encode()
            bound = self._proof(b"answer", proof, answer)  # each message is bound to the one before
            line.sendall(len(answer).to_bytes(4, "big") + bound)
            line.sendall(answer)

    def _proof(self, word: bytes, *parts: bytes) -> bytes:
        return hmac.new(self._key, b"\0".join([word, *parts]), hashlib.sha256).digest()

    def _obey(self, order: dict[str, Any]) -> dict[str, Any]:
        if "processes" in order:
            return {"processes": self.processes()}
        if not self._turn.acquire(timeout=float(order["seconds"])):
            return {"busy": True}
        try:
            if "rooms" in order:
                self._load(order["engine"], order["rooms"])
            if self._engine != order["engine"]:
                return {"engine": self._engine}
            engine: Any = sys.modules[f"{ENGINE}.{order['room']}"]
            answer: dict[str, Any] = engine.answer(self, order["request"])
            return answer
        except Exception as error:  # noqa: BLE001  the caller is told; the system goes on
            return {"bug": f"{type(error).__name__}: {error}"}
        finally:
            self._turn.release()

    def _load(self, engine: str, rooms: Sequence[Sequence[str]]) -> None:
        """The portal's engine is here, in place of another one."""
        self._engine = ""
        sys.modules[ENGINE] = ModuleType(ENGINE)
        for name, source in rooms:
            room = ModuleType(f"{ENGINE}.{name}")
            sys.modules[room.__name__] = room
            exec(compile(source, f"<{room.__name__}>", "exec"), room.__dict__)  # noqa: S102
        self._engine = engine


def _receive(line: socket.socket, size: int) -> bytes:
    """Exactly so many bytes; ValueError if the other end closed before."""
    found = bytearray()
    while len(found) < size:
        part = line.recv(min(size - len(found), 1 << 16))
        if not part:
            raise ValueError("The caller hung up.")
        found += part
    return bytes(found)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while True:
            part = source.recv(1 << 16)
            if not part:
                break
            sink.sendall(part)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


class _Loader(SourceFileLoader):
    """Loads a module as ever, and remembers the source."""

    agent: Agent

    def exec_module(self, module: ModuleType) -> None:
        with suppress(OSError):
            self.agent.note(module.__name__, Path(self.path), self.get_data(self.path))
        super().exec_module(module)


class _Finder:
    """Finds modules as ever, and has those of the root loaded by our loader."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or not spec.origin:
            return None
        if self._agent.root not in Path(spec.origin).resolve().parents:
            return None
        spec.loader = _Loader(spec.loader.name, spec.loader.path)
        spec.loader.agent = self._agent
        return spec
