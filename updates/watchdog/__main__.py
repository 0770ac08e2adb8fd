"""`python -m updates.watchdog`: waits for triggers in DATA_DIR and upgrades the portal, until SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine import Engine
from devices.drivers.engine_ways import UnixWay
from updates.watchdog.environment import Environment
from updates.watchdog.folder import Folder
from updates.watchdog.logins import Logins
from updates.watchdog.loop import Watchdog
from updates.watchdog.portal_recipe import portal_findings, portal_recipe


def main() -> None:
    """Returns when it was told to end; what it had in hand goes on with the next start."""
    environment = Environment.read(os.environ)
    _log_lines(is_json=os.environ.get("LOG_JSON", "").lower() in ("1", "true", "yes"))
    folder, logins = (
        Folder(environment.data_dir, own=environment.own_dir),
        Logins(environment.registry_logins),
    )
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())

    @contextmanager
    def open_engine() -> Iterator[Engine]:
        with DockerEngine(UnixWay(environment.socket)) as engine:
            yield engine

    Watchdog(
        environment,
        open_engine=open_engine,
        make_recipe=lambda plan, engine: portal_recipe(plan, engine, folder, logins),
        look=lambda plan, engine: portal_findings(plan, engine, folder, logins),
        stopped=stopped,
        name=f"{socket.gethostname()}/{os.getpid()}",
    ).run()


def _log_lines(*, is_json: bool) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer()
            if is_json
            else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )


if __name__ == "__main__":
    main()
