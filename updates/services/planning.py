"""Making plans: what is to be done is written down once, before anything is done."""

from __future__ import annotations

import uuid

from devices.models import Device
from updates.models import Artifact, UpdateModule, Upgrade
from updates.plan import ArtifactPlan, DevicePlan, Mode, UpdateModulePlan


def plan_artifact(
    *,
    artifact: Artifact,
    device: Device,
    update_module: UpdateModule | None,
    force: bool = False,
    mode: Mode = Mode.INSTALL,
    tree_of: uuid.UUID | None = None,
    upgrade_id: uuid.UUID | None = None,
) -> ArtifactPlan:
    """The plan of `artifact` onto `device`, as both are now. `force` installs even what is already there."""
    return ArtifactPlan(
        upgrade=str(upgrade_id or uuid.uuid4()),
        device=plan_device(device),
        mode=mode,
        artifact_id=str(artifact.pk),
        artifact_name=artifact.name,
        artifact_group=artifact.group,
        payload_type=artifact.payload_type,
        file=artifact.file.name or "",
        sha256=artifact.sha256,
        size=artifact.size,
        unpacked_size=artifact.unpacked_size,
        device_types=artifact.device_types,
        depends_names=artifact.depends_names,
        depends_groups=artifact.depends_groups,
        depends=artifact.depends,
        provides=artifact.provides,
        clears_provides=artifact.clears_provides,
        header_info=artifact.header_info,
        type_info=artifact.type_info,
        meta_data=artifact.meta_data,
        scripts=artifact.scripts,
        # A device that pulls has its own.
        update_module=_plan_module(update_module)
        if update_module and device.driver != Device.Driver.PULL
        else None,
        force=force,
        tree_of=str(tree_of) if tree_of else None,
    )


def plan_now(upgrade: Upgrade) -> ArtifactPlan:
    """The upgrade's plan, with what its device provides now: when it was ordered, another one may have been before it."""
    return ArtifactPlan.from_json(upgrade.plan).with_provides(upgrade.device.provides)


def plan_device(device: Device) -> DevicePlan:
    """What a recipe has to know of the device; how to reach it is looked up when it is done."""
    return DevicePlan(
        id=device.pk,
        name=device.name,
        device_type=device.device_type,
        work_root=device.work_root,
        modules_dir=device.modules_dir,
        root=device.root,
        provides=device.provides,
    )


def _plan_module(module: UpdateModule) -> UpdateModulePlan:
    return UpdateModulePlan(
        version=module.version, sha256=module.sha256, file=module.file.name or ""
    )
