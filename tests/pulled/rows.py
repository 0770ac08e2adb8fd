"""Rows of devices that pull, for tests of pages: as if such a device had asked."""

from __future__ import annotations

from devices.auth_request import id_hash_of, read_device_key
from devices.models import AuthSet, DeviceIdentity
from portal.core import clock
from tests.pulled.pretend import fresh_key, public_text


def asking_device(
    mac: str, *, status: AuthSet.Status = AuthSet.Status.PENDING, has_asked: bool = True
) -> AuthSet:
    """A key of a device with this address, which has asked once or not yet; decided by somebody, unless it is pending."""
    id_data = {"mac": mac}
    key = read_device_key(public_text(fresh_key()))
    identity, _ = DeviceIdentity.objects.get_or_create(
        id_hash=id_hash_of(id_data), defaults={"id_data": id_data}
    )
    now = clock.now()
    decided = (
        {} if status == AuthSet.Status.PENDING else {"decided_at": now, "decided_by_name": "olga"}
    )
    asked = now if has_asked else None
    return AuthSet.objects.create(
        identity=identity, public_key=key.pem, key_hash=key.hash, status=status,
        requested_at=asked, last_asked_at=asked, **decided,
    )  # fmt: skip
