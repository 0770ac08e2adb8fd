"""`python -m updates.watchdog.successor NAME IMAGE UPGRADE`: the watchdog's container is made anew, by somebody who is not in it.

Runs in a short-lived container of the new image. The old container stays beside the new one, under another name, until the new
watchdog has given a sign of life; if it gives none, the old one has its name back and runs. Each step may be done again: who is
cut off in between is started again, and ends what was begun.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Final

import structlog

from devices.drivers.docker_engine import DockerEngine
from devices.drivers.engine import Engine
from devices.drivers.engine_containers import ContainerDetails
from devices.drivers.engine_ways import UnixWay
from updates.recipes.container.clone import UPGRADE_LABEL, clone
from updates.watchdog.environment import SOCKET
from updates.watchdog.folder import Folder
from updates.watchdog.heartbeat import read_heartbeat

log = structlog.get_logger(__name__)

ASIDE: Final = "-before"
STOP_SECONDS: Final = 30
REMOVE_SECONDS: Final = 60.0
ALIVE_SECONDS: Final = 90.0
POLL_SECONDS: Final = 0.5


class Successor:
    """Gives the container of that name the image, on behalf of the upgrade."""

    def __init__(
        self, engine: Engine, folder: Folder, *, name: str, image: str, upgrade: str
    ) -> None:
        self._engine = engine
        self._containers = engine.containers
        self._folder = folder
        self._name = name
        self._aside = f"{name}{ASIDE}"
        self._image = image
        self._upgrade = upgrade

    def succeed(self) -> bool:
        """Whether the watchdog runs from the image. If not, it runs as before."""
        self._stand_aside()
        self._create()
        began = time.time()
        self._containers.start(self._name)
        if self._lives(since=began):
            self._remove(self._aside)
            log.info("the new watchdog lives", container=self._name)
            return True
        log.error("the new watchdog gives no sign of life", said=self._last_words())
        self._take_back()
        return False

    def _stand_aside(self) -> None:
        here = self._containers.named(self._name)
        if here is None or _is_ours(here, self._upgrade):
            return
        self._containers.stop(self._name, grace_seconds=STOP_SECONDS, on_tick=_tick)
        self._containers.rename(self._name, self._aside)

    def _create(self) -> None:
        if self._containers.named(self._name) is not None:
            return
        old = self._containers.named(self._aside)
        if old is None:
            raise RuntimeError(f"There is no container {self._name}, and none aside.")
        copy = clone(
            old,
            old_image=self._engine.image_config(old.image_id),
            image=self._image,
            upgrade=self._upgrade,
            names={},
        )
        self._containers.create(self._name, copy.body)
        for other in copy.others:
            self._containers.connect(self._name, other.network, other.settings)

    def _lives(self, *, since: float) -> bool:
        end = time.monotonic() + ALIVE_SECONDS
        while time.monotonic() < end:
            beat = read_heartbeat(self._folder)
            here = self._containers.named(self._name)
            if beat is not None and beat.at > since and here is not None:
                return here.state == "running"
            time.sleep(POLL_SECONDS)
        return False

    def _take_back(self) -> None:
        if self._containers.named(self._aside) is None:
            return
        self._remove(self._name)
        self._containers.rename(self._aside, self._name)
        self._containers.start(self._name)

    def _remove(self, name: str) -> None:
        if self._containers.named(name) is not None:
            self._containers.stop(name, grace_seconds=STOP_SECONDS, on_tick=_tick)
            self._containers.remove(name, limit_seconds=REMOVE_SECONDS, on_tick=_tick)

    def _last_words(self) -> str:
        return self._containers.logs(self._name, lines=20)[-2000:]


def _is_ours(here: ContainerDetails, upgrade: str) -> bool:
    return here.labels.get(UPGRADE_LABEL) == upgrade


def _tick() -> None:
    """Nobody asks this one to leave."""


def main() -> None:
    """Status 0: the new watchdog lives. Status 0 too when the old one has its place back: that is no reason to try again."""
    name, image, upgrade = sys.argv[1:4]
    folder = Folder(Path(os.environ.get("DATA_DIR", "/data")))
    with DockerEngine(UnixWay(os.environ.get("DOCKER_SOCKET", SOCKET))) as engine:
        Successor(engine, folder, name=name, image=image, upgrade=upgrade).succeed()


if __name__ == "__main__":
    main()
