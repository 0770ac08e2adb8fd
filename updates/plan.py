"""Plans: the frozen, JSON-safe description of one upgrade, made by a service and carried out by a recipe.

A plan holds all that its recipe needs and nothing that changes: what the operator saw is what is done, even if somebody
edits the device meanwhile. Secrets are named (`device_id`), never copied. Pure: no Django.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final, Self

INCONSISTENT: Final = "_INCONSISTENT"
"""What Mender's clients append to the artifact's name, and we to any version, when an upgrade left the target in between."""


class Kind(StrEnum):
    ARTIFACT = "artifact"
    MODULE = "module"
    CONTAINER = "container"
    PATCH = "patch"


class Mode(StrEnum):
    """INSTALL puts the artifact in place. RESTORE takes an earlier upgrade back, from what that one kept on the device."""

    INSTALL = "install"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """The device as it was when the plan was made. Folders are absolute paths on the device."""

    id: int
    name: str
    device_type: str
    work_root: str
    modules_dir: str
    root: str
    provides: dict[str, str]


@dataclass(frozen=True, slots=True)
class UpdateModulePlan:
    """An Update Module that the portal brings along: `sha256` of the script, `file` its name in the storage."""

    version: int
    sha256: str
    file: str


@dataclass(frozen=True, slots=True)
class ArtifactPlan:
    """One Mender Artifact onto one device. `file` is a name in the artifact storage, sizes are bytes.

    One that `holds` waits before its commit until somebody has looked, and commits it or cancels it.
    `tree_of` is the upgrade whose kept file tree a RESTORE uses; None for INSTALL.
    `update_module` is None when the device's own Update Module is used.
    """

    upgrade: str
    device: DevicePlan
    mode: Mode
    artifact_id: str
    artifact_name: str
    artifact_group: str
    payload_type: str
    file: str
    sha256: str
    size: int
    unpacked_size: int
    device_types: list[str]
    depends_names: list[str]
    depends_groups: list[str]
    depends: dict[str, list[str]]
    provides: dict[str, str]
    clears_provides: list[str] | None
    header_info: str
    type_info: str
    meta_data: str
    scripts: list[str]
    update_module: UpdateModulePlan | None
    force: bool
    tree_of: str | None = None
    holds: bool = False

    def as_json(self) -> dict[str, Any]:
        """The plan as plain JSON data, for the database and for the watchdog's trigger alike."""
        return asdict(self)

    def with_update_module(self, module: UpdateModulePlan | None) -> Self:
        """The same plan with another Update Module: a rollback uses the one that did the work."""
        return replace(self, update_module=module)

    def with_provides(self, provides: dict[str, str]) -> Self:
        """The same plan for the device as it is when its turn comes: what waited may follow another upgrade."""
        return replace(self, device=replace(self.device, provides=provides))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The plan that `as_json` wrote. ValueError when it was written by another version of the portal and does not fit."""
        _require_known(cls, data)
        module = data["update_module"]
        return cls(
            **{
                **data,
                "device": DevicePlan(**data["device"]),
                "mode": Mode(data["mode"]),
                "update_module": UpdateModulePlan(**module) if module else None,
            }
        )


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """One hot patch into the nodes of one instance. `file` is a name in the storage; `nodes` are ids.

    `version` is the one that the patch is for, `version_recorded` the instance's by the portal's record. `leaves_out` leaves
    out on each node what its check refuses, instead of failing. `kept_of` is the upgrade whose kept files a RESTORE puts back;
    None for INSTALL.
    """

    upgrade: str
    device: DevicePlan
    mode: Mode
    instance_id: int
    instance: str
    module: str
    runtime: str
    version: str
    version_recorded: str
    patch_id: str
    patch: str
    file: str
    sha256: str
    nodes: list[int]
    leaves_out: bool = False
    kept_of: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The plan as plain JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The plan that `as_json` wrote. ValueError when it was written by another version of the portal and does not fit."""
        _require_known(cls, data)
        device = DevicePlan(**data["device"])
        return cls(**{**data, "device": device, "mode": Mode(data["mode"])})


class ModuleVerb(StrEnum):
    """What is done to an instance: a new one, another version of it, what an earlier upgrade kept put back, gone."""

    INSTALL = "install"
    UPDATE = "update"
    RESTORE = "restore"
    UNINSTALL = "uninstall"


@dataclass(frozen=True, slots=True)
class InstalledImage:
    """What an instance was installed from. All empty for one that is not installed yet."""

    image: str = ""
    image_id: str = ""
    digest: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class ModulePlan:
    """One module image onto one instance, or the way back from one (seeds/ns8-module-updates.md).

    `image` is the reference as it was ordered. `install_dir` is AGENT_INSTALL_DIR, an absolute path on the device; `user` the
    Unix user whose service manager runs the instance, "root" for a rootful one. `environment` is set besides what every
    update sets. `probes` are the health gate's, see devices/drivers/probes.py. `volumes` are the named volumes that are kept with
    the state directory before the change, if it `keeps_data`. `force` pulls what is there already and runs the scripts of the
    version that is there already; `overrides` passes over what a check says of names and versions. `kept_of` is the
    upgrade whose kept tree, environment and images a RESTORE puts back, and `kept` what was installed before that one.
    """

    upgrade: str
    device: DevicePlan
    verb: ModuleVerb
    instance_id: int
    instance: str
    module: str
    image: str
    installed: InstalledImage
    rootfull: bool
    user: str
    install_dir: str
    environment: dict[str, str]
    probes: list[dict[str, Any]]
    volumes: list[str]
    keeps_data: bool
    goes_on_after_failed_scripts: bool
    core_version: str
    force: bool
    overrides: bool
    kept_of: str | None = None
    kept: InstalledImage | None = None

    def as_json(self) -> dict[str, Any]:
        """The plan as plain JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The plan that `as_json` wrote. ValueError when it was written by another version of the portal and does not fit."""
        _require_known(cls, data)
        return cls(
            **{
                **data,
                "kept": InstalledImage(**data["kept"]) if data["kept"] else None,
                "device": DevicePlan(**data["device"]),
                "verb": ModuleVerb(data["verb"]),
                "installed": InstalledImage(**data["installed"]),
            }
        )


@dataclass(frozen=True, slots=True)
class DumpPlan:
    """A database in a container beside the set: `command` writes it to its standard output there, `restore` reads `file` back.

    Commands run in `container`, while it runs; `file` is an absolute path in it.
    """

    container: str
    command: list[str]
    file: str
    restore: list[str]


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """What is copied before a container is replaced. `directory` is an absolute path on the device, of the portal's alone.

    `hook` is a command that runs in the first container of the set, while that runs, and readies its data; empty: SQLite
    databases among the data are copied by SQLite's own backup. `volumes` are the named volumes with data. `keep` is how many
    backups stay, at least 1.
    """

    wanted: bool
    directory: str
    keep: int
    volumes: list[str]
    hook: list[str]
    dumps: list[DumpPlan]


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """Another image for a set of containers of one image, or the way back from one (seeds/container-self-upgrade.md).

    `containers` are their names on the engine, all made from one image; they stop in that order and start in the other one.
    `image` is the reference as it was ordered. `project_dir` is where the files of a Compose project are by now, if that is not
    where its labels say. `probes` are the health gate's besides the containers' own. `force` replaces them also by the image that
    they have. `kept_of` is the upgrade whose kept images a RESTORE puts back, and `kept` what ran before that one; `data_from` is
    the backup, a file on the device, whose data it puts in place. Each may be empty, but not both.
    """

    upgrade: str
    device: DevicePlan
    mode: Mode
    instance_id: int
    instance: str
    module: str
    image: str
    installed: InstalledImage
    containers: list[str]
    project_dir: str
    backup: BackupPlan
    probes: list[dict[str, Any]]
    health_seconds: float
    stop_seconds: int
    min_free_bytes: int
    force: bool
    kept_of: str | None = None
    kept: InstalledImage | None = None
    data_from: str = ""

    def as_json(self) -> dict[str, Any]:
        """The plan as plain JSON data, for the database and for the watchdog's trigger alike."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The plan that `as_json` wrote. ValueError when it was written by another version of the portal and does not fit."""
        _require_known(cls, data)
        backup = data["backup"]
        return cls(
            **{
                **data,
                "device": DevicePlan(**data["device"]),
                "mode": Mode(data["mode"]),
                "installed": InstalledImage(**data["installed"]),
                "kept": InstalledImage(**data["kept"]) if data["kept"] else None,
                "backup": BackupPlan(
                    **{**backup, "dumps": [DumpPlan(**dump) for dump in backup["dumps"]]}
                ),
            }
        )


Plan = ArtifactPlan | ModulePlan | ContainerPlan | PatchPlan


def _require_known(plan: type[Plan], data: dict[str, Any]) -> None:
    if unknown := set(data) - {field.name for field in fields(plan)}:
        raise ValueError(
            f"the plan holds fields that this version does not know: {sorted(unknown)}"
        )
