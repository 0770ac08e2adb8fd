"""Ports of a device that only the device itself reaches: its loopback, through its SSH connection."""

from __future__ import annotations

from types import TracebackType

from devices.drivers.dial import Line
from devices.drivers.ssh import SshAddress, SshLink
from devices.drivers.ssh_login import Login


class SshDial:
    """A Dial through one SSH connection, which is made when first needed and lives until `close`.

    Hosts and ports are as seen from the device. Host key and login as in `SshShell`.
    """

    def __init__(
        self,
        address: SshAddress,
        *,
        login: Login,
        host_key: str | None,
        connect_seconds: float = 10.0,
        silence_seconds: float = 30.0,
    ) -> None:
        self._link = SshLink(
            address,
            login=login,
            host_key=host_key,
            connect_seconds=connect_seconds,
            silence_seconds=silence_seconds,
        )

    def __call__(self, host: str, port: int, seconds: float) -> Line:
        return self._link.forward(host, port=port, seconds=seconds)

    def close(self) -> None:
        """The SSH connection is closed, with all that went through it."""
        self._link.close()

    def __enter__(self) -> SshDial:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
