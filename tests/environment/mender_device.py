"""A device that pulls: a container with systemd whose own, unmodified Mender client asks a portal that really runs."""

from __future__ import annotations

import json
from typing import Final

from tests.environment.device_container import DeviceContainer

CALLS: Final = "/data/calls"
SERVICE: Final = "mender-client"
MODULES: Final = "/usr/share/mender/modules/v3"
TESTER: Final = "tester"
"""The payload type of the Update Module that does as it is told."""
TESTER_SCRIPT: Final = """\
#!/bin/sh
# Writes down each call; does with it what a file named after it says.
state="$1"
echo "$state" >> /data/calls
while [ -e "/data/waits-$state" ]; do sleep 0.2; done
case "$state" in
    SupportsRollback) echo Yes ;;
    NeedsArtifactReboot) [ -e /data/reboots ] && echo Automatic || echo No ;;
esac
if [ -e "/data/fails-$state" ]; then
    echo "$state fails on purpose" >&2
    exit 1
fi
exit 0
"""
QUESTIONS: Final = frozenset({"SupportsRollback", "NeedsArtifactReboot", "ProvidePayloadFileSizes"})
IDENTITY: Final = """\
#!/bin/sh
echo "mac=$(cat /sys/class/net/eth0/address)"
"""
INVENTORY: Final = """\
#!/bin/sh
echo "floor=3"
echo "site=Leipzig"
"""


class MenderDevice:
    """The client of `container`, set up to ask `server` every other second. It is not started yet."""

    def __init__(self, container: DeviceContainer, *, server: str) -> None:
        self.container = container
        settings = {
            "ServerURL": server,
            "TenantToken": "",
            "UpdatePollIntervalSeconds": 2,
            "InventoryPollIntervalSeconds": 5,
            "RetryPollIntervalSeconds": 1,
            "StateScriptRetryIntervalSeconds": 1,
            "StateScriptRetryTimeoutSeconds": 5,
            "ModuleTimeoutSeconds": 120,
        }
        self.write("/etc/mender/mender.conf", json.dumps(settings))
        self.write("/etc/mender/artifact_info", "artifact_name=original\n")
        self.write("/usr/share/mender/identity/mender-device-identity", IDENTITY, mode="755")
        self.write("/usr/share/mender/inventory/mender-inventory-test", INVENTORY, mode="755")
        self.write(f"{MODULES}/{TESTER}", TESTER_SCRIPT, mode="755")

    def start_client(self) -> None:
        """The client asks, and will after every boot."""
        self.container.exec("systemctl", "enable", "--now", SERVICE)

    def fails_in(self, call: str) -> None:
        """From now on the module's `call` fails."""
        self.write(f"/data/fails-{call}", "")

    def waits_in(self, call: str) -> None:
        """From now on the module's `call` waits until `go_on`."""
        self.write(f"/data/waits-{call}", "")

    def go_on(self, call: str) -> None:
        self.container.exec("rm", f"/data/waits-{call}")

    def calls(self) -> list[str]:
        """What the module was called for, without what it was only asked."""
        said = self.container.exec("sh", "-c", f"cat {CALLS} 2>/dev/null || true").split()
        return [call for call in said if call not in QUESTIONS]

    def write(self, path: str, text: str, *, mode: str = "644") -> None:
        self.container.exec(
            "sh", "-c", f"mkdir -p $(dirname {path}) && cat > {path} && chmod {mode} {path}",
            stdin=text.encode(),
        )  # fmt: skip

    def log(self) -> str:
        """What the client wrote, for a test that fails."""
        return self.container.exec("journalctl", "--no-pager", "-u", SERVICE, "-n", "80")
