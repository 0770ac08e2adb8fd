"""Instances of a module image in the fleet that is measured, and an order to all of them."""

from __future__ import annotations

from typing import Final

from devices.models import Device
from portal.core import clock
from portal.core.actors import PORTAL
from updates.models import Installation, Instance, Module
from updates.services.module_choice import Wanted
from updates.services.module_updates import order_module

INSTANCES: Final = 500
SOURCE: Final = "ghcr.io/nethserver/wiki"
DIGEST: Final = f"sha256:{'1' * 64}"


def fill_modules() -> None:
    """Instances on the last devices, some held, some skipping a version; and an order to them all that waits."""
    module = Module.objects.create(name="wiki", source=SOURCE)
    devices = Device.objects.order_by("-pk")[:INSTANCES]
    instances = Instance.objects.bulk_create(
        Instance(module=module, device=device, name=f"wiki{number}", version="1.0.0")
        for number, device in enumerate(devices, start=1)
    )
    Installation.objects.bulk_create(
        Installation(
            instance=instance, image=f"{SOURCE}:1.0.0", image_id=DIGEST, digest=DIGEST,
            user=instance.name, install_dir=f"/home/{instance.name}/.config",
            is_held=number % 50 == 0, held_why="The audit is on." if number % 50 == 0 else "",
            skipped=["1.1.0"] if number % 70 == 0 else [],
        )
        for number, instance in enumerate(instances)
    )  # fmt: skip
    found = Instance.objects.filter(module=module).select_related(
        "module", "device", "installation"
    )
    wanted = Wanted(image=f"{SOURCE}:1.1.0", instances=list(found), canary=True)
    order_module(wanted, actor=PORTAL, reason=f"Asked at {clock.now():%Y-%m-%d}")
