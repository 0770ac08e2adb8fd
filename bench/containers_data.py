"""Containers that the portal watches in the measured fleet: their engines, their backups, checks, and newer versions of some."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from devices.models import Device, EngineAccess, EngineLook
from portal.core import clock
from updates.models import Backup, ContainerCheck, Instance, Module, WatchedContainer

WATCHED: Final = 5000
BACKUPS: Final = 3
SHOP: Final = "ghcr.io/fleet/kiosk"
OLD: Final = f"sha256:{'a' * 64}"
NEW: Final = f"sha256:{'b' * 64}"
BATCH: Final = 2000


def fill_containers() -> None:
    """A shop on each of the newest devices, backed up; a newer version of every third is known, and was checked."""
    devices = list(Device.objects.order_by("-pk")[:WATCHED])
    EngineAccess.objects.bulk_create(
        [EngineAccess(device=device, way=EngineAccess.Way.UNIX) for device in devices],
        batch_size=BATCH, ignore_conflicts=True,
    )  # fmt: skip
    EngineLook.objects.bulk_create([_look(device) for device in devices], batch_size=BATCH)
    module = Module.objects.create(name="kiosk", source=SHOP)
    instances = Instance.objects.bulk_create(
        [
            Instance(module=module, device=device, name=f"kiosk{number}", version="1.0.0")
            for number, device in enumerate(devices)
        ],
        batch_size=BATCH,
    )
    rows = WatchedContainer.objects.bulk_create(
        [_watched(one, is_old=one.pk % 3 == 0) for one in instances], batch_size=BATCH
    )
    Backup.objects.bulk_create(
        [_backup(row, number) for row in rows for number in range(BACKUPS)], batch_size=BATCH
    )
    ContainerCheck.objects.bulk_create([_checked(row) for row in rows], batch_size=BATCH)


def _look(device: Device) -> EngineLook:
    now = clock.now()
    image = {"id": OLD, "tags": [f"{SHOP}:1.0.0"], "digests": [], "size": 1 << 26, "created": ""}
    container = {
        "name": "shop", "image_id": OLD, "image": f"{SHOP}:1.0.0", "state": "running", "project": "",
        "volumes": ["shop-data"],
    }  # fmt: skip
    return EngineLook(
        device=device, asked_at=now, answered_at=now, platform="linux/amd64",
        version="Docker Engine 28", containers=[container], images=[image],
    )  # fmt: skip


def _watched(instance: Instance, *, is_old: bool) -> WatchedContainer:
    now = clock.now()
    return WatchedContainer(
        instance=instance, image=f"{SHOP}:1.0.0", image_id=OLD, digest=OLD, containers=["shop"],
        backup_dir="/var/backups/shop", volumes=["shop-data"], newest="1.1.0" if is_old else "1.0.0",
        newest_digest=NEW if is_old else OLD, asked_at=now, answered_at=now,
    )  # fmt: skip


def _backup(watched: WatchedContainer, number: int) -> Backup:
    at = clock.now() - timedelta(days=30 * number)
    return Backup(
        watched=watched, path=f"/var/backups/shop/upgrade-backup-{at:%Y%m%d_%H%M%S}.tar.gz",
        size=5 << 20, sha256="1" * 64, version="1.0.0", created_at=at, taken_at=at,
        reason="The weekly one", requested_by_name="person01",
    )  # fmt: skip


def _checked(watched: WatchedContainer) -> ContainerCheck:
    at = clock.now() - timedelta(hours=1)
    return ContainerCheck(
        watched=watched, image=f"{SHOP}:1.1.0", verdict=ContainerCheck.Verdict.COMPATIBLE,
        findings=[{"what": "commands", "ok": True, "says": "It has what we need."}] * 8,
        requested_by_name="person01", requested_at=at, checked_at=at,
    )  # fmt: skip
