"""Rows for tests of watched containers: what an engine was seen to have, and what is watched there, without an engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from devices.models import Device, EngineAccess, EngineLook
from portal.core import clock
from portal.core.actors import PORTAL
from tests.journal.rows import new_device
from updates.models import Backup, Upgrade, WatchedContainer
from updates.services.container_upgrades import upgrade_container
from updates.services.watching import NewWatch, watch

SHOP = "ghcr.io/example/shop"
IMAGE_ID = f"sha256:{'1' * 64}"
DIGEST = f"sha256:{'a' * 64}"


def image(reference: str = f"{SHOP}:1.0.0", **fields: object) -> dict[str, Any]:
    """An image as looks at engines keep it."""
    made = {
        "id": IMAGE_ID, "tags": [reference], "digests": [f"{reference.rpartition(':')[0]}@{DIGEST}"],
        "size": 5 << 20, "created": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    return made | fields


def container(name: str = "shop", **fields: object) -> dict[str, Any]:
    """A container as looks at engines keep it."""
    made = {
        "name": name, "image_id": IMAGE_ID, "image": f"{SHOP}:1.0.0", "state": "running", "project": "",
        "volumes": [],
    }  # fmt: skip
    return made | fields


def seen(
    device: Device, *containers: dict[str, Any], images: list[dict[str, Any]] | None = None
) -> EngineLook:
    """The engine of the device was seen to have these."""
    now = clock.now()
    EngineAccess.objects.get_or_create(device=device, defaults={"way": EngineAccess.Way.UNIX})
    look, _ = EngineLook.objects.update_or_create(
        device=device,
        defaults={
            "asked_at": now, "answered_at": now, "platform": "linux/amd64", "version": "Docker Engine 28",
            "containers": list(containers), "images": [image()] if images is None else images,
        },
    )  # fmt: skip
    return look


def watched(
    name: str = "shop",
    *,
    device: Device | None = None,
    **fields: Any,  # noqa: ANN401 - of any field
) -> WatchedContainer:
    """Somebody watches a container of that name."""
    device = device or new_device(f"host-of-{name}")
    seen(device, container(name, volumes=[f"{name}-data"]))
    row = watch(NewWatch(device=device, containers=[name]), actor=PORTAL, reason="It is ours")
    for field, value in fields.items():
        setattr(row, field, value)
    row.save()
    return row


def backed_up(watched: WatchedContainer, number: int = 0, **fields: Any) -> Backup:  # noqa: ANN401 - of any field
    """A backup of its data that is on the device, by the portal's record."""
    now = clock.now()
    row = {
        "path": f"{watched.backup_dir}/upgrade-backup-20260101_{number:06}.tar.gz", "size": 5 << 20,
        "sha256": "1" * 64, "version": watched.instance.version, "created_at": now, "taken_at": now,
    }  # fmt: skip
    return Backup.objects.create(watched=watched, **(row | fields))


def upgraded(row: WatchedContainer, version: str = "1.1.0", **facts: Any) -> Upgrade:  # noqa: ANN401 - of any fact
    """An upgrade of it that succeeded two days ago, with a backup of before."""
    made = upgrade_container(watched=row, version=version, actor=PORTAL, reason="New")
    backup = backed_up(row, Backup.objects.count())
    taken_at = clock.now() - timedelta(days=2)
    written = {"path": backup.path, "taken_at": taken_at.isoformat()}
    over(made, "succeeded", {"kept": True, "backup": written} | facts)
    return made


def over(upgrade: Upgrade, outcome: str, facts: dict[str, Any]) -> None:
    Upgrade.objects.filter(pk=upgrade.pk).update(
        state="finished", outcome=outcome, started_at=clock.now(), finished_at=clock.now(), facts=facts
    )  # fmt: skip
    upgrade.refresh_from_db()
