"""The plan of the portal's upgrade: what the portal says of it, completed by what only the engine shows.

The portal knows how its data is backed up, and the watchdog which containers the portal is made of. Who writes a trigger by
hand says less still: then counts what the portal left word of when it last ran.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from devices.drivers.engine import Engine
from devices.drivers.engine_containers import Container, ContainerDetails
from updates.errors import NotCompatible
from updates.plan import BackupPlan, ContainerPlan, DumpPlan, InstalledImage, Mode
from updates.watchdog.admission import PROJECT, Admission, device_plan, upgrade_named
from updates.watchdog.durable import read_whole
from updates.watchdog.environment import Environment
from updates.watchdog.folder import Folder
from updates.watchdog.kinds import require_kinds
from updates.watchdog.record import read_record
from updates.watchdog.trigger import MOST_BYTES, Trigger

SERVICE: Final = "com.docker.compose.service"
ONEOFF: Final = "com.docker.compose.oneoff"
VERSION: Final = "org.opencontainers.image.version"
DATABASE: Final = "DATABASE_URL="
HEALTH_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60
MIN_FREE_BYTES: Final = 500 * 2**20


class Planner:
    """Makes plans on the engine of the watchdog, whose own container is `own`."""

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
        """The plan for it, admitted. NotCompatible with a sentence when there can be none."""
        if self._environment.trouble:
            raise NotCompatible(self._environment.trouble)
        name = self._environment.container_name
        portal = self._engine.containers.named(name)
        if portal is None:
            raise NotCompatible(f"The engine has no container {name}, which CONTAINER_NAME names.")
        said = _read(trigger.plan) if trigger.plan is not None else self._left()
        said = said or self._bare(portal)
        return self._admission.admitted(self._completed(said, trigger, portal))

    def _completed(
        self, said: ContainerPlan, trigger: Trigger, portal: ContainerDetails
    ) -> ContainerPlan:
        here = self._project()
        volume = self._admission.data_volume()
        backup = replace(
            said.backup,
            wanted=trigger.backup,
            volumes=[volume] if volume else [],
            dumps=[_named(dump, here) for dump in said.backup.dumps] if trigger.backup else [],
        )
        installed = InstalledImage(
            image=portal.image,
            image_id=portal.image_id,
            version=trigger.from_version or self._version_of(portal),
        )
        return replace(
            said,
            upgrade=trigger.upgrade,
            image=f"{self._environment.image_name}:{trigger.version}",
            installed=installed,
            containers=self._set(portal, here),
            force=trigger.force,
            backup=backup,
            kept=self._kept(said),
        )

    def _kept(self, said: ContainerPlan) -> InstalledImage | None:
        """What ran before the upgrade that is gone back on, as the watchdog itself has it on record."""
        if said.kept_of is None:
            return said.kept
        try:
            record = read_record(self._folder.record(upgrade_named(said.kept_of)))
        except (OSError, ValueError) as error:
            raise NotCompatible(f"What is gone back on cannot be read: {error}") from None
        if record is None or not record.plan:
            raise NotCompatible(
                f"The watchdog itself knows of no upgrade {said.kept_of} to go back on."
            )
        return _read(record.plan).installed

    def _version_of(self, portal: ContainerDetails) -> str:
        """What its image says that it is: its tag may be one that floats."""
        image = self._engine.image(portal.image_id)
        return image.labels.get(VERSION, "") if image else ""

    def _left(self) -> ContainerPlan | None:
        """What the portal left word of when it last ran."""
        try:
            content = read_whole(self._folder.template, most_bytes=MOST_BYTES)
            said = None if content is None else json.loads(content)
        except (OSError, ValueError) as error:
            raise NotCompatible(
                f"How the portal wants to be upgraded cannot be read from {self._folder.template}: {error}."
            ) from None
        return None if said is None else _read(said)

    def _bare(self, portal: ContainerDetails) -> ContainerPlan:
        _require_no_database_server(portal)
        return ContainerPlan(
            upgrade="",
            device=device_plan(self._folder),
            mode=Mode.INSTALL,
            instance_id=0,
            instance="fleetwright",
            module="fleetwright",
            image="",
            installed=InstalledImage(),
            containers=[],
            project_dir="",
            backup=BackupPlan(
                wanted=True,
                directory=str(self._folder.backups),
                keep=1,
                volumes=[],
                hook=[],
                dumps=[],
            ),
            probes=[],
            health_seconds=HEALTH_SECONDS,
            stop_seconds=STOP_SECONDS,
            min_free_bytes=MIN_FREE_BYTES,
            force=False,
        )

    def _project(self) -> list[Container]:
        """The containers of the watchdog's project, but for the watchdog itself and for single commands."""
        project = self._admission.project()
        return [
            one
            for one in self._engine.containers.all()
            if one.labels.get(PROJECT) == project
            and one.labels.get(ONEOFF, "False").lower() != "true"
            and (self._own is None or one.id != self._own.id)
        ]

    def _set(self, portal: ContainerDetails, here: list[Container]) -> list[str]:
        """The portal's web part, then whatever else of its project is made from the same image."""
        same = [one.name for one in here if one.image_id == portal.image_id]
        return [portal.name, *sorted(name for name in same if name != portal.name)]


def _read(said: dict[str, Any]) -> ContainerPlan:
    try:
        plan = ContainerPlan.from_json(said)
        require_kinds(plan, ContainerPlan)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotCompatible(f"The plan cannot be read: {error}.") from None
    return plan


def _named(dump: DumpPlan, here: list[Container]) -> DumpPlan:
    """The dump with the name of its container: the portal knows its database by the name of the service."""
    for one in here:
        if dump.container in (one.name, one.labels.get(SERVICE)):
            return replace(dump, container=one.name)
    raise NotCompatible(
        f"The project has no service {dump.container}, where the portal's database is: it cannot be backed up. "
        "An upgrade without a backup is possible, if you make one by other means."
    )


def _require_no_database_server(portal: ContainerDetails) -> None:
    """A backup without the database would be none: only the portal knows how that one is dumped."""
    config: dict[str, Any] = portal.raw.get("Config") or {}
    for variable in config.get("Env") or []:
        if str(variable).startswith(f"{DATABASE}postgres"):
            raise NotCompatible(
                "The portal's database is a server, and the portal has left no word how that is dumped: "
                "start it once with AUTO_UPGRADE_ENABLED=true."
            )
