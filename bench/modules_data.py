"""Instances of module images in the fleet that is measured: how they were installed, orders that are over, and one that waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from secrets import token_hex
from typing import Any, Final

from devices.models import Device, EngineAccess, RegistryLogin
from portal.core import clock
from portal.core.actors import PORTAL
from updates.machine import Outcome, State
from updates.models import (
    Check,
    ImageCheck,
    ImageRemoval,
    ImageRemovalPart,
    Installation,
    Instance,
    Module,
    ModuleOrder,
    Repository,
    Upgrade,
    UpgradeEvent,
)
from updates.plan import ModuleVerb
from updates.services.module_choice import Wanted
from updates.services.module_orders import build_module_upgrade, plan_module
from updates.services.module_updates import order_module

INSTANCES: Final = 4000
MODULES: Final = ("traefik", "loki", "mail", "wiki")
SOURCE: Final = "ghcr.io/nethserver"
VERSIONS: Final = ("1.0.0", "1.1.0", "1.2.0")
ORDERED: Final = 500
"""How many instances the newest order names."""
REPOSITORIES: Final = 3
PACKAGES: Final = 200
BATCH: Final = 2000
ARROWS: Final = (
    ("", "ordered", "pending"),
    ("pending", "done", "checking"),
    ("cleaning", "done", "finished"),
)


def fill_modules() -> None:
    """Instances all over the fleet, some held, some skipping a version; each version was ordered for all instances of a
    module, and the newest order waits for its canary."""
    devices = list(Device.objects.order_by("pk"))
    chosen = devices[:: max(1, len(devices) // INSTANCES)][:INSTANCES]
    EngineAccess.objects.bulk_create(
        (EngineAccess(device=device, way=EngineAccess.Way.SSH) for device in chosen),
        batch_size=BATCH,
    )
    _images_removed(chosen)
    for number in range(3):
        RegistryLogin.objects.create(
            registry=f"registry{number}.example", username="fleet", secret=token_hex()
        )
    for number in range(REPOSITORIES):
        add_repository(f"shelf-{number}", packages=PACKAGES)
    for number, name in enumerate(MODULES):
        instances = _installed(name, chosen[number :: len(MODULES)])
        for age, version in enumerate(reversed(VERSIONS[1:])):
            _checked(f"{SOURCE}/{name}:{version}", instances)
            _ordered(f"{SOURCE}/{name}:{version}", instances, days=number + 100 * age)
    wanted = Wanted(image=f"{SOURCE}/wiki:1.3.0", instances=instances[-ORDERED:], canary=True)
    order_module(wanted, actor=PORTAL, reason="Asked today")


def add_repository(name: str, *, packages: int) -> None:
    """A repository whose index was fetched just now: modules of its own, and newer versions of the fleet's."""
    index = [_package(module) for module in (*MODULES, *(f"{name}-{n}" for n in range(packages)))]
    Repository.objects.create(
        name=name, url=f"https://{name}.example", index=index, packages=len(index),
        fetched_at=clock.now(), added_at=clock.now(),
    )  # fmt: skip


def _package(name: str) -> dict[str, Any]:
    return {
        "id": name, "name": name, "description": {"en": f"What {name} does."}, "logo": None,
        "categories": ["house"], "authors": [{"name": "Ann"}],
        "docs": {"documentation_url": "", "bug_url": "", "code_url": f"https://github.com/x/{name}"},
        "source": f"{SOURCE}/{name}",
        "versions": [{"tag": tag, "testing": False, "labels": {}} for tag in (*VERSIONS, "1.3.0")],
    }  # fmt: skip


def _installed(name: str, devices: list[Device]) -> list[Instance]:
    module = Module.objects.create(name=name, source=f"{SOURCE}/{name}")
    instances = Instance.objects.bulk_create(
        Instance(
            module=module, device=device, name=f"{name}{number}",
            version=VERSIONS[-1 if number % 10 else 0],
        )
        for number, device in enumerate(devices)
    )  # fmt: skip
    Installation.objects.bulk_create(
        Installation(
            instance=instance, image=f"{module.source}:{instance.version}",
            image_id=f"sha256:{instance.pk:064x}", digest=f"sha256:{instance.pk:064x}",
            images=[f"{module.source}:{instance.version}", "docker.io/library/redis:7"],
            user=instance.name, install_dir=f"/home/{instance.name}/.config",
            is_held=instance.pk % 50 == 0, held_why="The audit is on." if instance.pk % 50 == 0 else "",
            skipped=["1.3.0"] if instance.pk % 70 == 0 else [],
        )
        for instance in instances
    )  # fmt: skip
    return instances


def _images_removed(devices: list[Device]) -> None:
    """An old image was removed from all of these."""
    old, at = "docker.io/library/redis:6", clock.now() - timedelta(days=3)
    removal = ImageRemoval.objects.create(
        references=[old], reason="Room", requested_by_name="person01", created_at=at
    )
    ImageRemovalPart.objects.bulk_create(
        (
            ImageRemovalPart(
                removal=removal, device=device, outcomes=[[old, "removed", ""]], finished_at=at
            )
            for device in devices
        ),
        batch_size=BATCH,
    )


def _checked(image: str, instances: list[Instance]) -> None:
    """Each was checked before it was ordered."""
    at = clock.now() - timedelta(days=3)
    findings = [{"what": "image", "ok": True, "says": f"{image} would be fetched."}] * 8
    ImageCheck.objects.bulk_create(
        (
            ImageCheck(
                image=image, instance=instance, verdict=Check.Verdict.COMPATIBLE, findings=findings,
                requested_by_name="person01", requested_at=at, checked_at=at,
            )
            for instance in instances
        ),
        batch_size=BATCH,
    )  # fmt: skip


def _ordered(image: str, instances: list[Instance], *, days: int) -> None:
    at = clock.now() - timedelta(days=days, hours=1)
    order = ModuleOrder.objects.create(
        verb=ModuleVerb.UPDATE, image=image, left_out=[["loki7", "It is held: The audit is on."]],
        reason="Maintenance window", requested_by_name="person01", created_at=at,
    )  # fmt: skip
    upgrades = [_upgrade(order, instance) for instance in instances]
    Upgrade.objects.bulk_create(upgrades, batch_size=BATCH)
    UpgradeEvent.objects.bulk_create(
        (event for upgrade in upgrades for event in _story(upgrade)), batch_size=BATCH
    )


def _upgrade(order: ModuleOrder, instance: Instance) -> Upgrade:
    """One that is over, and went wrong for a few."""
    plan = plan_module(instance, verb=ModuleVerb.UPDATE, image=order.image)
    upgrade = build_module_upgrade(plan, instance=instance, actor=PORTAL, reason=order.reason)
    went_wrong = instance.pk % 30 == 0
    upgrade.module_order, upgrade.state = order, State.FINISHED
    upgrade.outcome = Outcome.ROLLED_BACK if went_wrong else Outcome.SUCCEEDED
    upgrade.error = "The health gate was not passed within 60 seconds." if went_wrong else ""
    upgrade.progress, upgrade.last_seq, upgrade.state_seq = 100, len(ARROWS), len(ARROWS)
    upgrade.created_at = upgrade.started_at = order.created_at
    upgrade.state_entered_at = upgrade.finished_at = order.created_at + timedelta(minutes=1)
    return upgrade


def _story(upgrade: Upgrade) -> Iterator[UpgradeEvent]:
    for number, (before, event, after) in enumerate(ARROWS, start=1):
        yield UpgradeEvent(
            upgrade=upgrade, seq=number, at=upgrade.created_at, kind=UpgradeEvent.Kind.ARROW,
            from_state=before, event=event, to_state=after,
        )  # fmt: skip
