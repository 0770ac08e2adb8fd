"""The plan of an upgrade that somebody asked for by hand: as the portal left word, else as the engine shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from devices.drivers.engine import Engine
from devices.drivers.engine_containers import ContainerDetails
from updates.errors import NotCompatible
from updates.plan import BackupPlan, ContainerPlan, InstalledImage, Mode
from updates.watchdog.admission import PROJECT, Admission, device_plan
from updates.watchdog.durable import read_whole
from updates.watchdog.environment import Environment
from updates.watchdog.folder import Folder
from updates.watchdog.trigger import MOST_BYTES, Trigger

ONEOFF: Final = "com.docker.compose.oneoff"
DATABASE: Final = "DATABASE_URL="
HEALTH_SECONDS: Final = 120.0
STOP_SECONDS: Final = 30
MIN_FREE_BYTES: Final = 500 * 2**20


class ByHand:
    """Makes plans on the engine of the watchdog."""

    def __init__(
        self,
        engine: Engine,
        environment: Environment,
        folder: Folder,
        admission: Admission,
        *,
        own: ContainerDetails | None,
    ) -> None:
        self._engine = engine
        self._environment = environment
        self._folder = folder
        self._admission = admission
        self._own = own

    def plan(self, trigger: Trigger) -> ContainerPlan:
        """The plan for it. NotCompatible with a sentence when there can be none."""
        if self._environment.trouble:
            raise NotCompatible(self._environment.trouble)
        portal = self._engine.containers.named(self._environment.container_name)
        if portal is None:
            raise NotCompatible(
                f"The engine has no container {self._environment.container_name}, which CONTAINER_NAME names."
            )
        plan = self._left() or self._seen(portal)
        return replace(
            plan,
            upgrade=trigger.upgrade,
            image=f"{self._environment.image_name}:{trigger.version}",
            installed=InstalledImage(image=portal.image, image_id=portal.image_id),
            force=trigger.force,
            backup=replace(plan.backup, wanted=trigger.backup),
        )

    def _left(self) -> ContainerPlan | None:
        """What the portal left word of when it last ran."""
        try:
            content = read_whole(self._folder.template, most_bytes=MOST_BYTES)
            return None if content is None else ContainerPlan.from_json(json.loads(content))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise NotCompatible(
                f"How the portal wants to be upgraded cannot be read from {self._folder.template}: {error}."
            ) from None

    def _seen(self, portal: ContainerDetails) -> ContainerPlan:
        """All containers of the project that are made from the portal's image, with the data of DATA_DIR."""
        self._require_no_database_server(portal)
        volume = self._admission.data_volume()
        return ContainerPlan(
            upgrade="",
            device=device_plan(self._folder),
            mode=Mode.INSTALL,
            instance_id=0,
            instance="fleetwright",
            module="fleetwright",
            image="",
            installed=InstalledImage(),
            containers=self._set(portal),
            project_dir=self._environment.project_dir,
            backup=BackupPlan(
                wanted=True,
                directory=f"{self._environment.data_dir}/backups",
                keep=1,
                volumes=[volume] if volume else [],
                hook=[],
                dumps=[],
            ),
            probes=[],
            health_seconds=HEALTH_SECONDS,
            stop_seconds=STOP_SECONDS,
            min_free_bytes=MIN_FREE_BYTES,
            force=False,
        )

    def _set(self, portal: ContainerDetails) -> list[str]:
        project = self._admission.project()
        others = [
            one.name
            for one in self._engine.containers.all()
            if one.image_id == portal.image_id
            and one.labels.get(PROJECT) == project
            and one.labels.get(ONEOFF, "False").lower() != "true"
            and one.name != portal.name
            and (self._own is None or one.name != self._own.name)
        ]
        return [portal.name, *sorted(others)]

    def _require_no_database_server(self, portal: ContainerDetails) -> None:
        """A backup without the database would be none: only the portal knows how that one is dumped."""
        config: dict[str, Any] = portal.raw.get("Config") or {}
        for variable in config.get("Env") or []:
            if str(variable).startswith(f"{DATABASE}postgres"):
                raise NotCompatible(
                    "The portal's database is a server, and the portal has left no word how that is dumped: "
                    "start it once with AUTO_UPGRADE_ENABLED=true."
                )
