"""The tutorial "Create a custom Update Module", as it is written, on a device that boots systemd."""

from __future__ import annotations

from collections.abc import Callable

from devices.models import Device
from portal.core.actors import PORTAL
from tests.e2e.conftest import DEVICE_TYPE, StartPortal
from tests.environment.device_container import DeviceContainer
from tests.environment.waiting import wait_until
from updates.machine import Outcome, State
from updates.models import Artifact, Upgrade
from updates.services.deployments import deploy_artifact

BASIC = """\
#!/bin/bash

set -e

STATE="$1"
FILES="$2"

case "$STATE" in
    ArtifactInstall)
        cp "$FILES"/files/* /var/www
        ;;
esac
exit 0
"""
ADVANCED = """\
#!/bin/bash

set -e

STATE="$1"
FILES="$2"

prev_files_tar="$FILES"/tmp/prev_files.tar

case "$STATE" in
    SupportsRollback)
        echo "Yes"
        ;;

    ArtifactInstall)
        (cd /var/www && find . -maxdepth 1 -type f -exec tar -rf $prev_files_tar {} \\;)
        find /var/www -maxdepth 1 -type f | xargs rm
        expected_md5sums=$(md5sum "$FILES"/files/* | sort | cut -d' ' -f1)
        cp "$FILES"/files/* /var/www
        actual_md5sums=$(find /var/www -maxdepth 1 -type f | xargs md5sum | sort | cut -d' ' -f1)
        [[ "$actual_md5sums" == "$expected_md5sums" ]] || exit 1
        ;;

    ArtifactRollback)
        [[ -f $prev_files_tar ]] || exit 1
        find /var/www -maxdepth 1 -type f | xargs rm
        tar -xf $prev_files_tar -C /var/www
        ;;
esac
exit 0
"""
MODULE = "/usr/share/mender/modules/v3/web-file"
PATIENCE_SECONDS = 60


def test_the_walk_through(
    container: DeviceContainer,
    device: Device,
    uploaded: Callable[..., Artifact],
    start_portal: StartPortal,
) -> None:
    start_portal("rqworker", "updates")
    install_module(container, BASIC)
    container.exec("mkdir", "-p", "/var/www")

    # Basic: one file
    first = uploaded(
        "web-file-1.0", {"hello-world": "Installed by Mender!"}, device_type=DEVICE_TYPE
    )
    assert deployed(first).outcome == Outcome.SUCCEEDED
    assert www(container) == {"hello-world": "Installed by Mender!"}

    # Multiple files
    names = {"my-file-1": "1", "my-file-2": "2", "my-file-3": "3"}
    assert deployed(uploaded("web-file-1.1", names, device_type=DEVICE_TYPE)).outcome == "succeeded"
    assert www(container) == {"hello-world": "Installed by Mender!", **names}

    # Update Module with rollback
    install_module(container, ADVANCED)
    second = uploaded(
        "web-file-2.0", {"hello-world": "two", "page": "old"}, device_type=DEVICE_TYPE
    )
    assert deployed(second).outcome == Outcome.SUCCEEDED
    assert www(container) == {"hello-world": "two", "page": "old"}

    # Its forced failure: a directory of the name of a file makes `cp` fail
    container.exec("mkdir", "/var/www/news")
    third = uploaded("web-file-3.0", {"hello-world": "three", "news": "!"}, device_type=DEVICE_TYPE)
    failed = deployed(third)
    assert (failed.outcome, failed.error_state) == (Outcome.ROLLED_BACK, State.INSTALLING)
    assert www(container) == {"hello-world": "two", "page": "old"}
    said = "".join(failed.events.filter(kind="output").values_list("text", flat=True))
    assert "cannot overwrite directory" in said
    device.refresh_from_db()
    assert device.artifact_name == "web-file-2.0"


def install_module(container: DeviceContainer, script: str) -> None:
    container.exec("sh", "-c", 'cat > "$1" <<"END"\n' + script + 'END\nchmod +x "$1"', "sh", MODULE)


def deployed(artifact: Artifact) -> Upgrade:
    """The upgrade of the one device, when it is over."""
    deployment = deploy_artifact(
        artifact=artifact, devices=Device.objects.all(), actor=PORTAL, reason="the tutorial says so"
    )
    wait_until(
        lambda: deployment.upgrades.filter(state=State.FINISHED).exists(),
        seconds=PATIENCE_SECONDS,
        what=f"the end of {artifact}",
    )
    return deployment.upgrades.get()


def www(container: DeviceContainer) -> dict[str, str]:
    """The files in /var/www, with what is in them."""
    names = container.exec("find", "/var/www", "-maxdepth", "1", "-type", "f", "-printf", "%f\\n")
    return {name: container.exec("cat", f"/var/www/{name}").strip() for name in names.split()}
