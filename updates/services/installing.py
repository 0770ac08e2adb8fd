"""Instances that come and go: installed from a module image, taken under control where they stand, uninstalled."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from django.core.exceptions import ValidationError
from django.db import transaction

from devices.drivers.references import Reference
from devices.drivers.words import absolute
from devices.errors import UnsafeName
from devices.models import Device
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.errors import TargetBusy
from updates.machine import State
from updates.models import Installation, Instance, Module, Upgrade, UpgradeEvent, WatchedContainer
from updates.plan import Kind, ModuleVerb
from updates.services.module_choice import image_of, name_of, unfinished_upgrades, version_of
from updates.services.module_orders import build_module_upgrade, plan_module
from updates.services.module_updates import ORDER
from updates.services.ordering import place
from updates.services.ports import free_block, port_variables
from updates.services.reasons import given_reason

ROOT: Final = "root"
SHALLOWEST: Final = 3
"""A folder of an instance has so many parts: /var/lib/nethserver/x or /home/x/.config, and never /etc or /usr/lib."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInstance:
    """An instance of a module image on a device. What is left empty is as NethServer has it, see `_filled`.

    How many ports it needs stands in the image, which nobody has looked into yet: whoever orders it says so.
    """

    image: str
    device: Device
    name: str = ""
    rootfull: bool = False
    user: str = ""
    install_dir: str = ""
    tcp_ports: int = 0
    udp_ports: int = 0


def install_module(new: NewInstance, *, actor: Actor, reason: str) -> Upgrade:
    """There is a new instance on record, not installed yet, and an upgrade that installs it; that waits where the device is busy.

    The module is made where it is not known yet. Django's ValidationError, by field, for what cannot be.
    """
    actor.require(ORDER)
    image = image_of(new.image)
    with transaction.atomic():
        device = Device.objects.select_for_update().get(pk=new.device.pk)
        module = _module_of(image)
        instance = _instance(new, module, device)
        made = _filled(new, instance)
        _give_ports(made, device)
        _save(instance, made)
        plan = plan_module(
            instance, verb=ModuleVerb.INSTALL, image=new.image.strip(),
            environment=_environment(made, device),
        )  # fmt: skip
        upgrade = build_module_upgrade(plan, instance=instance, actor=actor, reason=reason)
        return place(upgrade, actor=actor, action="module.install")


def uninstall_module(*, instance: Instance, actor: Actor, reason: str) -> Upgrade | None:
    """An upgrade takes the instance away from its device; its history stays, and its name is not used again.

    None where nothing was ever done on the device: then only the record says that it is gone. TargetBusy when an upgrade of the
    instance is not over.
    """
    actor.require(ORDER)
    with transaction.atomic():
        Device.objects.select_for_update().get(pk=instance.device_id)
        rows = Instance.objects.select_related("module", "device", "installation")
        instance = rows.get(pk=instance.pk)
        made = Installation.objects.filter(instance=instance).first()
        if why_not := why_not_uninstallable(instance, made):
            raise Refused(why_not)
        refuse_busy(instance)
        if made is not None and not made.image and not _was_begun(instance):
            _forget(made, actor=actor, reason=reason)
            return None
        plan = plan_module(
            instance, verb=ModuleVerb.UNINSTALL, image=(made and made.image) or _asked(instance)
        )
        upgrade = build_module_upgrade(plan, instance=instance, actor=actor, reason=reason)
        return place(upgrade, actor=actor, action="module.uninstall")


def why_not_uninstallable(instance: Instance, made: Installation | None) -> str:
    """Empty when it can be uninstalled, else the sentence why not. What an uninstall left behind can be taken away again."""
    if made is None:
        return f"{instance} was not installed from a module image."
    if made.uninstalled_at is None:
        return ""
    newest = _newest(instance)
    return "" if newest and newest.warning else f"{instance} is uninstalled already."


def adopt(*, instance: Instance, new: NewInstance, actor: Actor, reason: str) -> Installation:
    """What stands on the device already is on record as an installation of `new.image`: from now on it can be updated.

    Nothing is done on the device. What a person says is taken on trust until the first update looks.
    """
    actor.require("updates.change_installation")
    image = image_of(new.image)
    with transaction.atomic():
        refuse_busy(instance)
        if Installation.objects.filter(instance=instance).exists():
            raise Refused(f"{instance} is under control already.")
        if why_not := why_not_adoptable(watched_as(instance)):
            raise Refused(why_not)
        module = instance.module
        if module.source not in ("", image.repository):
            raise Refused(f"{module} comes from {module.source}, not from {image.repository}.")
        if not module.source:
            module.source = image.repository
            module.save(update_fields=["source"])
        made = _filled(new, instance)
        made.image = new.image.strip()
        instance.version = version_of(image)[:100]
        _save(instance, made)
        audit.record(
            actor=actor, action="module.adopt", subject=instance, reason=given_reason(reason),
            data={"image": made.image},
        )  # fmt: skip
    return made


def watched_as(instance: Instance) -> WatchedContainer | None:
    """The container that the instance is, watched now or once."""
    watched: WatchedContainer | None = getattr(instance, "watched", None)
    return watched


def why_not_adoptable(watched: WatchedContainer | None) -> str:
    """Why what is this container is no instance of a module image; empty where it is none, or is watched no longer."""
    if watched is None or watched.unwatched_at is not None:
        return ""
    return f"{watched.instance} is a watched container, and not of a module image: upgrade it on its container's page."


def refuse_busy(instance: Instance) -> None:
    """Nothing, or TargetBusy naming the upgrade of the instance that is not over."""
    holder = unfinished_upgrades([instance]).get(instance.pk)
    if holder is not None:
        state = holder.state.replace("_", " ")
        raise TargetBusy(f"{instance} is busy: {holder} is {state}.", holder=str(holder.pk))


def next_name(module: str) -> str:
    """The module's name with the number after the highest that was ever used."""
    numbered = re.compile(rf"{re.escape(module)}([0-9]{{1,9}})")
    names = Instance.objects.filter(name__startswith=module).values_list("name", flat=True)
    used = [int(found[1]) for name in names if (found := numbered.fullmatch(name))]
    return f"{module}{max(used, default=0) + 1}"


def _module_of(image: Reference) -> Module:
    name, source = name_of(image), image.repository
    module, _ = Module.objects.select_for_update().get_or_create(
        name=name, defaults={"source": source}
    )
    if not module.source:
        module.source = source
        module.save(update_fields=["source"])
    if module.source != source:
        raise Refused(f"{name} is known to come from {module.source}, not from {source}.")
    return module


def _instance(new: NewInstance, module: Module, device: Device) -> Instance:
    name = new.name.strip() or next_name(module.name)
    return Instance(module=module, device=device, name=name)


def _filled(new: NewInstance, instance: Instance) -> Installation:
    """A rootless one has a user of its own, called as it is, and lives in that user's ~/.config; a rootfull one is root's."""
    user = new.user.strip() or (ROOT if new.rootfull else instance.name)
    if new.rootfull != (user == ROOT):
        raise Refused("A rootfull instance belongs to root; one that is not has a user of its own.")
    usual = f"/var/lib/nethserver/{instance.name}" if new.rootfull else f"/home/{user}/.config"
    folder = _folder(new.install_dir.strip() or usual)
    _refuse_shared(user, folder, instance)
    return Installation(
        rootfull=new.rootfull, user=user, install_dir=folder,
        tcp_ports=new.tcp_ports, udp_ports=new.udp_ports,
    )  # fmt: skip


def _refuse_shared(user: str, folder: str, instance: Instance) -> None:
    """Two instances on a device share no user but root, and neither lives inside the other."""
    there = Installation.objects.filter(instance__device=instance.device, uninstalled_at=None)
    mine = PurePosixPath(folder)
    for other in there.exclude(instance__name=instance.name).select_related("instance"):
        theirs = PurePosixPath(other.install_dir)
        if mine.is_relative_to(theirs) or theirs.is_relative_to(mine):
            raise Refused(f"{other} is installed in {theirs} on {instance.device} already.")
        if user == other.user != ROOT:
            raise Refused(f"{user} is the user of {other} on {instance.device} already.")


def _folder(text: str) -> str:
    try:
        folder = absolute(text)
    except UnsafeName as error:
        raise Refused(str(error)) from None
    if folder.count("/") < SHALLOWEST:
        raise Refused(
            f"{folder} may be the system's own: a folder at least {SHALLOWEST} deep is wanted, for what stands there is replaced."
        )
    return folder


def _give_ports(made: Installation, device: Device) -> None:
    there = Installation.objects.filter(instance__device=device, uninstalled_at=None)
    for protocol in ("tcp", "udp"):
        if count := getattr(made, f"{protocol}_ports"):
            blocks = there.values_list(f"first_{protocol}_port", f"{protocol}_ports")
            taken = [(first, size) for first, size in blocks if first is not None]
            setattr(made, f"first_{protocol}_port", free_block(taken, count))


def _save(instance: Instance, made: Installation) -> None:
    instance.full_clean(exclude=["module", "device", "version"])
    _require_name(instance)
    instance.save()
    made.instance = instance
    made.full_clean(exclude=["instance"])
    made.save()


def _require_name(instance: Instance) -> None:
    """Services of an instance are told by its name, alone or with a dash behind it: no two may be taken for one another."""
    name = instance.name
    if not name[-1].isdigit():
        raise ValidationError(
            {"name": "The name of an instance of a module image ends with a digit."}
        )
    there = Instance.objects.filter(device=instance.device).exclude(name=name)
    for other in there.values_list("name", flat=True):
        if name.startswith(f"{other}-") or other.startswith(f"{name}-"):
            raise ValidationError(
                {
                    "name": f"{other} is on that device: their services could be taken for one another."
                }
            )


def _environment(made: Installation, device: Device) -> dict[str, str]:
    return {
        "MODULE_ID": made.instance.name,
        "MODULE_UUID": str(uuid.uuid4()),
        "NODE_ID": str(device.pk),
        **port_variables("TCP", made.first_tcp_port, made.tcp_ports),
        **port_variables("UDP", made.first_udp_port, made.udp_ports),
    }


def _forget(made: Installation, *, actor: Actor, reason: str) -> None:
    made.uninstalled_at = clock.now()
    made.save(update_fields=["uninstalled_at"])
    audit.record(
        actor=actor, action="module.uninstall", subject=made.instance, reason=given_reason(reason),
        data={"record_only": True},
    )  # fmt: skip


def _newest(instance: Instance) -> Upgrade | None:
    of_kind = Upgrade.objects.filter(instance=instance, kind=Kind.MODULE)
    return of_kind.order_by("-created_at").first()


def _was_begun(instance: Instance) -> bool:
    """Whether something of it can be on its device."""
    begun = UpgradeEvent.objects.filter(
        upgrade__instance=instance, upgrade__kind=Kind.MODULE, to_state=State.INSTALLING
    )
    return begun.exists()


def _asked(instance: Instance) -> str:
    """The image of an installation that never succeeded: what it left has to go all the same."""
    newest = _newest(instance)
    return newest.plan.get("image", "") if newest else ""
