"""Which plans the watchdog carries out. Whoever writes into DATA_DIR may ask for a version of the portal, and for nothing else:

the engine's socket is as good as root on the machine, so what a plan names is compared with what the watchdog's own
environment says, and with what the engine knows of the project that the watchdog belongs to.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import UUID

from devices.drivers.engine import Engine
from devices.drivers.engine_containers import ContainerDetails
from devices.drivers.references import parse_reference
from devices.errors import BadReference
from updates.errors import NotCompatible
from updates.plan import ContainerPlan, DevicePlan
from updates.watchdog.dumps import as_known
from updates.watchdog.environment import Environment
from updates.watchdog.folder import Folder

PROJECT: Final = "com.docker.compose.project"
PROBES: Final = frozenset({"container"})
"""The watchdog has no network to ask `http` or `tcp` from, and a command would run beside the engine's socket."""
NO_PROBE: Final = (
    "The portal's watchdog has no network and runs no command: it asks the engine whether the containers are healthy, "
    "so a probe of the kind {kind!r} would never pass. Use the kind container, or the image's own health check."
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,200}", re.ASCII)


def device_plan(folder: Folder) -> DevicePlan:
    """The machine that the portal and its watchdog live on, as the watchdog sees it."""
    return DevicePlan(
        id=0,
        name="localhost",
        device_type="",
        work_root=str(folder.work_root),
        modules_dir="",
        root="/",
        provides={},
    )


def upgrade_named(text: str) -> str:
    """The id of an upgrade; NotCompatible when it is none."""
    try:
        return str(UUID(text))
    except ValueError:
        raise NotCompatible("What the plan goes back on is no upgrade.") from None


class Admission:
    """The watchdog's own project: its `project` and, if it runs in a container, that one's name."""

    def __init__(
        self,
        engine: Engine,
        environment: Environment,
        folder: Folder,
        *,
        own: ContainerDetails | None,
    ) -> None:
        self._engine = engine
        self._environment = environment
        self._folder = folder
        self._own = own

    def admitted(self, plan: ContainerPlan) -> ContainerPlan:
        """The plan, with what is the watchdog's to say. NotCompatible with a sentence if it asks for more than is its to ask."""
        if self._environment.trouble:
            raise NotCompatible(self._environment.trouble)
        self._require_image(plan.image)
        if plan.kept is not None:
            self._require_image(plan.kept.image)
        project = self.project()
        names = [*plan.containers, *(dump.container for dump in plan.backup.dumps)]
        if not plan.containers or self._environment.container_name not in plan.containers:
            raise NotCompatible(
                f"The plan is not about {self._environment.container_name}, which CONTAINER_NAME names."
            )
        for name in names:
            self._require_own(name, project)
        self._require_names(plan)
        self._require_places(plan)
        self._require_probes(plan.probes)
        return replace(
            plan,
            backup=replace(plan.backup, dumps=[as_known(dump) for dump in plan.backup.dumps]),
            device=device_plan(self._folder),
            project_dir=self._environment.project_dir,
        )

    def project(self) -> str:
        """The Compose project that the watchdog belongs to. NotCompatible when it belongs to none."""
        said = self._environment.project_name
        known = self._own.labels.get(PROJECT, "") if self._own else ""
        if said and known and said != known:
            raise NotCompatible(
                f"COMPOSE_PROJECT_NAME is {said}, but the watchdog's own container is one of the project {known}."
            )
        if not (said or known):
            raise NotCompatible(
                "The watchdog's own container belongs to no Compose project, and COMPOSE_PROJECT_NAME names none."
            )
        return said or known

    def _require_image(self, text: str) -> None:
        try:
            asked, ours = parse_reference(text), parse_reference(self._environment.image_name)
        except BadReference as error:
            raise NotCompatible(f"The image of the plan cannot be: {error}") from None
        if asked.repository != ours.repository:
            raise NotCompatible(
                f"{text} is not a version of {self._environment.image_name}, which IMAGE_NAME names."
            )

    def _require_own(self, name: str, project: str) -> None:
        here = self._engine.containers.named(name)
        if here is None:  # half-way through an upgrade that is resumed; else the recipe says so
            return
        if self._own is not None and here.id == self._own.id:
            raise NotCompatible(f"{name} is the watchdog itself: nobody runs anything in it.")
        its = here.labels.get(PROJECT, "")
        if its != project:
            says = f"belongs to the project {its}" if its else "belongs to no Compose project"
            raise NotCompatible(f"{name} {says}, not to {project}: the watchdog leaves it alone.")

    def _require_names(self, plan: ContainerPlan) -> None:
        """Each becomes a part of a path in the watchdog's own folder."""
        if plan.kept_of is not None:
            upgrade_named(plan.kept_of)
        if not _NAME.fullmatch(plan.instance):
            raise NotCompatible(f"{plan.instance[:40]!r} cannot be what the portal is called.")

    def _require_places(self, plan: ContainerPlan) -> None:
        data = PurePosixPath(self._environment.data_dir)
        for path in [plan.backup.directory, *([plan.data_from] if plan.data_from else [])]:
            asked = PurePosixPath(path)
            if ".." in asked.parts or not asked.is_relative_to(data) or asked == data:
                raise NotCompatible(f"{path} is not below {data}, where the portal's data is.")
        ours = self.data_volume()
        strange = set(plan.backup.volumes) - {ours}
        if ours is not None and strange:
            raise NotCompatible(
                f"The volume {min(strange)} is not the one of {data}: the watchdog sees no other."
            )

    def data_volume(self) -> str | None:
        """The name of the volume that DATA_DIR is in the portal's container, or the path of the folder on the host.

        Empty where it is neither, None if none tells.
        """
        here = self._own or self._engine.containers.named(self._environment.container_name)
        if here is None:
            return None
        data = str(self._environment.data_dir)
        return next((one.volume or one.source for one in here.mounts if one.target == data), "")

    def _require_probes(self, probes: list[dict[str, Any]]) -> None:
        for probe in probes:
            if probe.get("kind") not in PROBES:
                raise NotCompatible(NO_PROBE.format(kind=str(probe.get("kind"))[:40]))
