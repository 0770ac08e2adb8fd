"""Devices that pull in the measured fleet: their identities and keys, what they report, and those that nobody has let in."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Final

from devices.auth_request import id_hash_of
from devices.models import AuthSet, Device, DeviceIdentity, InstalledRecord
from portal.core import clock

PULLING: Final = 10_000
REJECTED: Final = 10_000
PENDING: Final = 1000
"""As many as `PENDING_DEVICES_LIMIT` allows."""
BATCH: Final = 2000


def fill_pulled() -> None:
    """The oldest devices pull; others asked, and were rejected, or wait."""
    devices = list(Device.objects.order_by("pk")[:PULLING])
    for number, device in enumerate(devices):
        device.driver = Device.Driver.PULL
        device.reported = {"mac": f"02:{number:010x}", "kernel": "6.1", "mem_total_kB": number}
    Device.objects.bulk_update(devices, ["driver", "reported"], batch_size=BATCH)
    _identify(devices)
    now = clock.now()
    InstalledRecord.objects.bulk_create(
        (
            InstalledRecord(device=device, artifact_name=f"kiosk-{week}", at=now - timedelta(weeks=week))
            for device in devices
            for week in range(3)
        ),
        batch_size=BATCH,
    )  # fmt: skip


def _identify(devices: list[Device]) -> None:
    status = AuthSet.Status
    wanted = [
        *((status.ACCEPTED, device) for device in devices),
        *((status.REJECTED, None) for _ in range(REJECTED)),
        *((status.PENDING, None) for _ in range(PENDING)),
    ]
    datas = [{"mac": f"{number:012x}"} for number in range(len(wanted))]
    identities = DeviceIdentity.objects.bulk_create(
        [
            DeviceIdentity(id_hash=id_hash_of(data), id_data=data, device=device)
            for data, (_, device) in zip(datas, wanted, strict=True)
        ],
        batch_size=BATCH,
    )
    AuthSet.objects.bulk_create(
        [
            _key(identity, number, word)
            for number, (identity, (word, _)) in enumerate(zip(identities, wanted, strict=True))
        ],
        batch_size=BATCH,
    )


def _key(identity: DeviceIdentity, number: int, status: AuthSet.Status) -> AuthSet:
    at = clock.now() - timedelta(minutes=number)
    return AuthSet(
        identity=identity, status=status, public_key=f"key {number}",
        key_hash=sha256(str(number).encode()).hexdigest(), requested_at=at, last_asked_at=at,
        decided_at=None if status == AuthSet.Status.PENDING else at,
    )  # fmt: skip
