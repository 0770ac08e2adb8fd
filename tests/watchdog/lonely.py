"""A watchdog whose engine is away: the real one, in a thread, as far as it gets by files alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine_ways import UnixWay
from updates.watchdog.environment import Environment
from updates.watchdog.folder import Folder
from updates.watchdog.loop import Watchdog

NOWHERE = "/nowhere/docker.sock"


def own_folder(place: Path) -> Folder:
    """DATA_DIR, and beside it the watchdog's own."""
    data, own = place / "data", place / "own"
    data.mkdir()
    own.mkdir(mode=0o700)
    folder = Folder(data, own=own)
    folder.make()
    return folder


class Lonely:
    """`died_of` is what ended it, if it was not told to end."""

    def __init__(self, folder: Folder) -> None:
        said = {
            "DATA_DIR": str(folder.data), "WATCHDOG_DIR": str(folder.own), "CHECK_INTERVAL": "0.1",
            "IMAGE_NAME": "registry.example/fleetwright", "CONTAINER_NAME": "portal",
            "COMPOSE_PROJECT_NAME": "portal", "DOCKER_SOCKET": NOWHERE,
        }  # fmt: skip
        self._stopped = threading.Event()
        self.died_of: BaseException | None = None
        self._watchdog = Watchdog(
            Environment.read(said),
            open_engine=lambda: DockerEngine(UnixWay(NOWHERE)),
            make_recipe=_never,
            look=_never,
            stopped=self._stopped,
            name="lonely",
        )

    @contextmanager
    def living(self) -> Iterator[None]:
        """It lives for the length of the block, and has died of nothing by then."""
        thread = threading.Thread(target=self._run, name="watchdog")
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()
        assert self.died_of is None, repr(self.died_of)

    def _run(self) -> None:
        try:
            self._watchdog.run()
        except BaseException as error:  # noqa: BLE001 - told in the thread of the test
            self.died_of = error


def _never(*_: object) -> NoReturn:
    raise AssertionError("there is no engine to do that on")
