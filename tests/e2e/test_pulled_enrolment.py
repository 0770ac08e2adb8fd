"""The real Mender client 3.4, unmodified, on a device with systemd: it asks, is accepted, and says what it is."""

from __future__ import annotations

import pytest

from devices.models import AuthSet, Device, InstalledRecord
from devices.queries import devices_matching
from devices.services.enrolment import accept, decommission, reject
from portal.core.actors import PORTAL
from tests.e2e.conftest import DEVICE_TYPE
from tests.e2e.portal_for_devices import Portal
from tests.environment.device_container import DeviceContainer
from tests.environment.mender_device import SERVICE, MenderDevice
from tests.environment.waiting import wait_until

PATIENCE_SECONDS = 180
NEW_KEY = "rm -f /var/lib/mender/mender-agent.pem /data/mender/mender-agent.pem"


@pytest.fixture
def client(portal: Portal, container: DeviceContainer) -> MenderDevice:
    device = MenderDevice(container, server=portal.url)
    device.start_client()
    return device


def one(status: AuthSet.Status) -> AuthSet:
    """The one key of this status, as soon as there is one."""
    found = wait_until(
        AuthSet.objects.filter(status=status).first,
        seconds=PATIENCE_SECONDS,
        what=f"a key that is {status}",
    )
    assert found is not None
    return found


def reports(row: Device) -> None:
    """The device, whose record was emptied, has said again what it is."""
    Device.objects.filter(pk=row.pk).update(reported={}, last_seen=None)

    def has_said() -> bool:
        row.refresh_from_db()
        return "site" in row.reported

    wait_until(has_said, seconds=PATIENCE_SECONDS, what="the device's inventory")


def test_a_device_asks_is_accepted_and_says_what_it_is(client: MenderDevice) -> None:
    asking = one(AuthSet.Status.PENDING)
    mac = client.container.exec("cat", "/sys/class/net/eth0/address")
    assert asking.identity.id_data == {"mac": mac}
    assert not Device.objects.exists()

    row = accept(auth_set=asking, actor=PORTAL)
    assert row.name == mac.replace(":", "-")
    reports(row)
    assert row.device_type == DEVICE_TYPE
    assert row.artifact_name == "original"
    assert row.reported["mac"] == mac and row.reported["floor"] == "3"
    assert row.last_seen is not None
    assert devices_matching({"attribute": "site=Leipzig; floor>2"}).get() == row
    assert InstalledRecord.objects.get().artifact_name == "original"

    reject(auth_set=asking, actor=PORTAL)
    Device.objects.update(last_seen=None)
    AuthSet.objects.update(last_asked_at=None)
    wait_until(
        lambda: AuthSet.objects.exclude(last_asked_at=None).exists(),
        seconds=PATIENCE_SECONDS,
        what="the device's next question",
    )
    assert Device.objects.get().last_seen is None

    assert accept(auth_set=asking, actor=PORTAL) == row
    reports(row)


def test_a_device_that_is_flashed_anew_and_one_that_was_sold_come_back_as_themselves(
    client: MenderDevice,
) -> None:
    first = one(AuthSet.Status.PENDING)
    row = accept(auth_set=first, actor=PORTAL)
    reports(row)

    client.container.exec("systemctl", "stop", SERVICE)
    client.container.exec("sh", "-c", NEW_KEY)
    client.container.exec("systemctl", "start", SERVICE)
    second = one(AuthSet.Status.PENDING)
    assert second.identity == first.identity and second.key_hash != first.key_hash
    assert accept(auth_set=second, actor=PORTAL) == row
    reports(row)
    first.refresh_from_db()
    assert first.status == AuthSet.Status.REJECTED

    decommission(device=row, actor=PORTAL, reason="sold")
    third = one(AuthSet.Status.PENDING)
    assert third.key_hash == second.key_hash and third.pk != second.pk
    assert accept(auth_set=third, actor=PORTAL) == row
    reports(row)
