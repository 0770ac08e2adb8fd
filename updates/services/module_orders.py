"""How an upgrade of a module's instance is ordered, ordered again, and taken back: see `KindOrders`."""

from __future__ import annotations

import uuid
from dataclasses import replace

from django.conf import settings

from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.errors import NotUndoable
from updates.models import Instance, Upgrade
from updates.plan import InstalledImage, Kind, ModulePlan, ModuleVerb
from updates.services.data_of import DataOf, refuse_choice
from updates.services.ordering import upgrade_for
from updates.services.planning import plan_device
from updates.services.undoing import refuse_buried


def plan_module(
    instance: Instance,
    *,
    verb: ModuleVerb,
    image: str,
    force: bool = False,
    overrides: bool = False,
    environment: dict[str, str] | None = None,
) -> ModulePlan:
    """The plan of `image` for `instance`, as both are now."""
    made = instance.installation
    return ModulePlan(
        upgrade=str(uuid.uuid4()),
        device=plan_device(instance.device),
        verb=verb,
        instance_id=instance.pk,
        instance=instance.name,
        module=instance.module.name,
        image=image,
        installed=InstalledImage(made.image, made.image_id, made.digest, instance.version),
        rootfull=made.rootfull,
        user=made.user,
        install_dir=made.install_dir,
        environment=environment or {},
        probes=made.probes,
        volumes=made.volumes,
        keeps_data=made.keeps_data,
        goes_on_after_failed_scripts=made.on_failed_script == made.Scripts.CONTINUE,
        core_version=settings.MODULE_CORE_VERSION,
        force=force,
        overrides=overrides,
    )


def build_module_upgrade(
    plan: ModulePlan, *, instance: Instance, actor: Actor, reason: str
) -> Upgrade:
    """The upgrade for `plan`, not saved yet."""
    upgrade = upgrade_for(
        plan, kind=Kind.MODULE, device=instance.device, actor=actor, reason=reason
    )
    upgrade.instance = instance
    upgrade.from_version = plan.installed.image
    upgrade.to_version = "" if plan.verb is ModuleVerb.UNINSTALL else plan.image
    return upgrade


def again(upgrade: Upgrade, *, actor: Actor, reason: str) -> Upgrade:
    """With the instance as it is now. Refused once it is uninstalled: its ports may be another's."""
    asked = ModulePlan.from_json(upgrade.plan)
    if asked.overrides:
        actor.require("updates.override_module")
    instance = _instance(asked)
    if instance.installation.uninstalled_at is not None:
        raise Refused(f"{instance} is uninstalled.")
    plan = plan_module(
        instance, verb=asked.verb, image=asked.image, force=asked.force,
        overrides=asked.overrides, environment=asked.environment,
    )  # fmt: skip
    return build_module_upgrade(plan, instance=instance, actor=actor, reason=reason)


def back(upgrade: Upgrade, *, data: DataOf | None, actor: Actor, reason: str) -> Upgrade:
    """What the upgrade kept of tree, environment, units, image tags and data is put back."""
    refuse_choice(data)
    done = ModulePlan.from_json(upgrade.plan)
    instance = _instance(done)
    plan = plan_module(instance, verb=ModuleVerb.RESTORE, image=done.installed.image)
    # Data as it was kept: the settings of today say what the next update keeps.
    plan = replace(
        plan, kept_of=str(upgrade.pk), kept=done.installed, keeps_data=done.keeps_data,
        volumes=done.volumes,
    )  # fmt: skip
    return build_module_upgrade(plan, instance=instance, actor=actor, reason=reason)


def placed(upgrade: Upgrade) -> None:
    """The upgrade's own row says it all."""


def refuse_not_undoable(upgrade: Upgrade) -> None:
    """Only an update of what was installed before can be taken back, and nothing newer may stand on top."""
    done = ModulePlan.from_json(upgrade.plan)
    if done.verb is ModuleVerb.INSTALL:
        raise NotUndoable("There was nothing before it: uninstall the instance.")
    if done.verb is ModuleVerb.UNINSTALL:
        raise NotUndoable("The instance is gone: install it again.")
    refuse_buried(upgrade)


def _instance(plan: ModulePlan) -> Instance:
    rows = Instance.objects.select_related("module", "device", "installation")
    return rows.get(pk=plan.instance_id)
