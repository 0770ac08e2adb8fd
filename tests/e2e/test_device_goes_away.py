"""A device that reboots because it should, is switched off because somebody tripped, or cannot be reached for a while."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.base import ContentFile

from devices.models import Device
from portal.core.actors import PORTAL
from tests.e2e.conftest import DEVICE_TYPE, StartPortal
from tests.environment.device_container import DeviceContainer
from tests.environment.waiting import wait_until
from updates.machine import Outcome, State
from updates.models import Artifact, Upgrade
from updates.services.artifacts import upload_update_module
from updates.services.upgrades import apply_artifact

PATIENCE_SECONDS = 90
MODULE = """\
#!/bin/sh
set -e
config=/etc/lights
echo "$1" >> /var/calls
case "$1" in
    SupportsRollback) echo Yes ;;
    NeedsArtifactReboot) echo {reboot} ;;
    ArtifactInstall)
        cp $config "$2/tmp/before" 2>/dev/null || echo none > "$2/tmp/before"
        cp "$2/files/lights" $config
        sync
        sleep {seconds}
        echo "end $1" >> /var/calls ;;
    ArtifactReboot|ArtifactRollbackReboot) systemctl reboot --force; sleep 60 ;;
    ArtifactRollback) cp "$2/tmp/before" $config ;;
esac
"""


@pytest.fixture
def ordered(
    device: Device, container: DeviceContainer, uploaded: Callable[..., Artifact]
) -> Callable[..., Upgrade]:
    """Orders an upgrade whose Update Module answers `reboot` and takes `seconds` to install."""

    def order(*, reboot: str, seconds: int) -> Upgrade:
        container.exec("sh", "-c", "echo off > /etc/lights")
        script = MODULE.format(reboot=reboot, seconds=seconds).encode()
        upload_update_module(name="lights", file=ContentFile(script), actor=PORTAL)
        artifact = uploaded(
            "lights-1", {"lights": "on"}, payload_type="lights", device_type=DEVICE_TYPE
        )
        return apply_artifact(device=device, artifact=artifact, actor=PORTAL, reason="lights on")

    return order


@pytest.mark.parametrize("reboot", ["Automatic", "Yes"])
def test_an_upgrade_goes_on_behind_the_reboot_that_it_asked_for(
    reboot: str,
    ordered: Callable[..., Upgrade],
    container: DeviceContainer,
    start_portal: StartPortal,
) -> None:
    start_portal("rqworker", "updates")
    before = container.boot_id()

    upgrade = finished(ordered(reboot=reboot, seconds=0))

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert container.boot_id() != before
    assert container.exec("cat", "/etc/lights").strip() == "on"
    assert "ArtifactVerifyReboot" in calls(container)


def test_a_device_that_loses_power_while_it_installs_goes_back(
    ordered: Callable[..., Upgrade], container: DeviceContainer, start_portal: StartPortal
) -> None:
    start_portal("rqworker", "updates")
    upgrade = ordered(reboot="No", seconds=60)
    wait_until(
        lambda: "ArtifactInstall" in calls(container), seconds=PATIENCE_SECONDS, what="the install"
    )

    container.kill()
    container.start()

    upgrade = finished(upgrade)
    assert upgrade.outcome == Outcome.ROLLED_BACK, upgrade.error
    assert upgrade.events.filter(event="interrupted", from_state=State.INSTALLING).count() == 1
    assert container.exec("cat", "/etc/lights").strip() == "off"


def test_a_device_that_cannot_be_reached_for_a_while_is_waited_for(
    ordered: Callable[..., Upgrade], container: DeviceContainer, start_portal: StartPortal
) -> None:
    start_portal("rqworker", "updates")
    upgrade = ordered(reboot="No", seconds=5)
    wait_until(
        lambda: "ArtifactInstall" in calls(container), seconds=PATIENCE_SECONDS, what="the install"
    )

    container.cut_network()
    wait_until(
        lambda: "end ArtifactInstall" in calls(container), seconds=PATIENCE_SECONDS, what="its end"
    )
    container.restore_network()

    upgrade = finished(upgrade)
    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert calls(container).count("ArtifactInstall") == 1


def calls(container: DeviceContainer) -> list[str]:
    return container.exec("sh", "-c", "cat /var/calls 2>/dev/null || true").splitlines()


def finished(upgrade: Upgrade) -> Upgrade:
    wait_until(
        lambda: Upgrade.objects.filter(pk=upgrade.pk, state=State.FINISHED).exists(),
        seconds=PATIENCE_SECONDS,
        what=f"the end of {upgrade}",
    )
    upgrade.refresh_from_db()
    return upgrade
