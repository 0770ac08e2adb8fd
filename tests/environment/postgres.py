"""A private PostgreSQL cluster: one for a whole test run, shared by its xdist workers."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.environment import debian
from tests.environment.child import Child
from tests.environment.ports import free_port
from tests.environment.waiting import wait_until
from tests.environment.workdir import workdir

URL_VARIABLE = "TEST_POSTGRES_URL"
USER = "fleetwright"
START_SECONDS = 30
START_ATTEMPTS = 3
DURABLE = {"listen_addresses": "127.0.0.1", "max_connections": "200"}
"""Otherwise as PostgreSQL comes."""
SETTINGS = {
    **DURABLE,
    # The data is thrown away, so nothing has to survive a power cut.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class PostgresMissing(Exception):
    """The machine has no PostgreSQL that could be started; the sentence says what to do."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster; `url` names a database in it that need not exist."""

    url: str
    child: Child

    def new_database(self, name: str) -> str:
        """The URL of an empty database of this name, which is there now."""
        server = self.url.rpartition("/")[0]
        with closing(psycopg.connect(f"{server}/postgres", autocommit=True)) as maintenance:
            maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"{server}/{name}"


_started: list[Cluster] = []


def shared_url() -> str:
    """A server in which the tests may make databases: TEST_POSTGRES_URL, else a private one that is started now.

    The variable is set for the children of this process, so xdist's workers find the server of their controller.
    PostgresMissing where there is none and none may be installed.
    """
    if URL_VARIABLE not in os.environ:
        cluster = start(workdir() / "postgres", settings=SETTINGS)
        _started.append(cluster)
        os.environ[URL_VARIABLE] = cluster.url
    return os.environ[URL_VARIABLE]


def stop_shared() -> None:
    """The server has ended, if this process started it."""
    while _started:
        _started.pop().child.stop()
        del os.environ[URL_VARIABLE]


def programs_folder() -> Path:
    """Where initdb and postgres are: on PATH, or where Debian puts them (the newest version)."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    debian.install_missing()
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(versions, key=lambda path: int(path.parent.parent.name), default=None)
    if newest is None:
        raise PostgresMissing("PostgreSQL is missing (Debian's package postgresql)")
    return newest.parent


def start(folder: Path, *, settings: Mapping[str, str]) -> Cluster:
    """A new cluster, which keeps its files in `folder`, answers. PostgresMissing where there is none."""
    programs = programs_folder()
    user = _server_user()
    folder.mkdir()
    password = secrets.token_hex(16)
    password_file = folder / "password"
    password_file.write_text(password)
    if user is not None:
        shutil.chown(folder, user)
        shutil.chown(password_file, user)
    data = folder / "data"
    _initdb(programs / "initdb", data, password_file=password_file, user=user)
    for _ in range(START_ATTEMPTS):
        # Somebody else may take the port first; the server then ends at once, and another port is tried.
        port = free_port()
        options = [f"-c{name}={value}" for name, value in settings.items()]
        child = Child(
            [
                str(programs / "postgres"),
                "-D",
                str(data),
                f"-k{folder}",
                f"-cport={port}",
                *options,
            ],
            log=folder / "log",
            user=user,
            stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown: clients are not waited for
        )
        url = f"postgres://{USER}:{password}@127.0.0.1:{port}/fleetwright"
        wait_until(
            lambda child=child, url=url: not child.running or _answers(url),  # type: ignore[misc]
            seconds=START_SECONDS,
            what="PostgreSQL's first answer",
        )
        if child.running:
            return Cluster(url=url, child=child)
    raise RuntimeError(f"PostgreSQL does not start:\n{child.tail()}")


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root; None where the tests do not run as root either."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise PostgresMissing(
            "PostgreSQL does not run as root, and there is no user postgres"
        ) from None


def _initdb(initdb: Path, data: Path, *, password_file: Path, user: str | None) -> None:
    identity = (
        []
        if user is None
        else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
    )
    choices = [f"--username={USER}", f"--pwfile={password_file}", "--auth=scram-sha-256"]
    finished = subprocess.run(
        [
            *identity,
            str(initdb),
            "-D",
            str(data),
            "--no-sync",
            "--encoding=UTF8",
            "--no-locale",
            *choices,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=data.parent,
    )
    if finished.returncode:
        raise RuntimeError(f"initdb failed:\n{finished.stderr}")


def _answers(url: str) -> bool:
    maintenance_database = url.rpartition("/")[0] + "/postgres"
    try:
        psycopg.connect(maintenance_database, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
