"""A device that can be rebooted, stopped, killed and cut off: a container with systemd, sshd and Mender's client."""

from __future__ import annotations

import io
import socket
import tarfile
from itertools import count
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.environment.device_image import device_image_file
from tests.environment.docker import DockerEngine
from tests.environment.waiting import wait_until

IMAGE = "fleetwright/device"
BOOT_SECONDS = 60
LIKE_A_MACHINE = (
    # systemd wants to mount and to lead control groups; it does not need all that --privileged gives.
    *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "seccomp=unconfined"),
    *("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--cgroupns", "host"),
    *(
        "--tmpfs",
        "/run",
        "--tmpfs",
        "/run/lock",
        "--tmpfs",
        "/tmp:exec",
        "--env",
        "container=docker",
    ),
    *("--stop-signal", "SIGRTMIN+3"),
    # `reboot` on the device ends its init, and the Engine starts it again.
    *("--restart", "always"),
)

_ports = count(2201)


class DeviceContainer:
    """A device at `host`:`port`; `user` logs in with `client_key_pem` and checks `host_key`.

    Its files outlive every kind of stop, /run and /tmp do not; /proc/sys/kernel/random/boot_id is new at each boot.
    """

    user = "root"

    def __init__(
        self,
        engine: DockerEngine,
        *,
        name: str,
        device_type: str,
        own_engine: DockerEngine | None = None,
    ) -> None:
        """The device has booted and its sshd answers. `own_engine` is for any user of it, at /opt/docker/docker.sock."""
        self._engine = engine
        self.name = name
        self.host = engine.address
        self.port = next(_ports)
        client_key, host_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.client_key_pem = _private_text(client_key)
        self.host_key = _public_text(host_key)
        _import_image_once(engine)
        names = ["--name", name, "--hostname", name, "--publish", f"{self.port}:22"]
        own = _engine_of_its_own(own_engine) if own_engine else []
        engine.docker("create", *names, *LIKE_A_MACHINE, *own, IMAGE)
        files = {
            "root/.ssh/authorized_keys": _public_text(client_key) + "\n",
            "etc/ssh/ssh_host_ed25519_key": _private_text(host_key),
            "etc/ssh/ssh_host_ed25519_key.pub": _public_text(host_key) + "\n",
            "data/mender/device_type": f"device_type={device_type}\n",
        }
        engine.docker("cp", "-", f"{name}:/", stdin=_tar(files))
        self.start()

    def exec(self, *command: str, stdin: bytes = b"") -> str:
        """What `command` wrote, run on the device without SSH, so also when it is cut off; RuntimeError if it failed."""
        return self._engine.docker("exec", "--interactive", self.name, *command, stdin=stdin)

    def boot_id(self) -> str:
        return self.exec("cat", "/proc/sys/kernel/random/boot_id")

    def start(self) -> None:
        """The device has booted; its network is there, even if it was cut before."""
        self._engine.docker("start", self.name)
        self._wait_until_booted()

    def stop(self) -> None:
        """The device was shut down in order."""
        self._engine.docker("stop", "--time", "30", self.name)

    def kill(self) -> None:
        """The device lost its power."""
        self._engine.docker("kill", self.name)

    def reboot(self) -> None:
        """The device was told to reboot, and has."""
        before = self.boot_id()
        self.exec("systemctl", "reboot")
        self.wait_for_boot_after(before)

    def wait_for_boot_after(self, boot_id: str) -> None:
        """The device, told to reboot by somebody else while it had `boot_id`, has booted again."""
        wait_until(
            lambda: self._says("cat", "/proc/sys/kernel/random/boot_id") not in ("", boot_id),
            seconds=BOOT_SECONDS,
            what=f"another boot of {self.name}",
        )
        self._wait_until_booted()

    def cut_network(self) -> None:
        """The cable is pulled: connections hang, nothing is refused. A reboot puts it in again."""
        self._engine.network.ip("link", "set", self._cable(), "down")

    def restore_network(self) -> None:
        """The cable is in again; connections that have not timed out go on."""
        self._engine.network.ip("link", "set", self._cable(), "up")

    def remove(self) -> None:
        """Nothing is left of the device."""
        self._engine.docker("rm", "--force", "--volumes", self.name)

    def _cable(self) -> str:
        """The Engine's end of the device's network cable: what the device's eth0 is linked to."""
        number = self.exec("cat", "/sys/class/net/eth0/iflink")
        for line in self._engine.network.ip("-oneline", "link").splitlines():
            index, name, *_ = line.split(": ")
            if index == number:
                return name.partition("@")[0]
        raise RuntimeError(f"{self.name} has no network cable")

    def _wait_until_booted(self) -> None:
        wait_until(
            lambda: self._says("systemctl", "is-system-running") in ("running", "degraded"),
            seconds=BOOT_SECONDS,
            what=f"the end of {self.name}'s boot",
        )
        wait_until(self._sshd_answers, seconds=BOOT_SECONDS, what=f"sshd of {self.name}")

    def _says(self, *command: str) -> str:
        """What the command wrote, however it ended; nothing while the device is down."""
        return self._engine.attempt("exec", self.name, *command).stdout.decode().strip()

    def _sshd_answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=2) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False


def _engine_of_its_own(engine: DockerEngine) -> list[str]:
    engine.open_to_all()
    program = Path("/usr/bin/docker").resolve()
    return [
        # The folder, since an engine that is started again has another socket.
        *("--volume", f"{engine.socket.parent}:/opt/docker"),
        *("--volume", f"{program}:/usr/bin/docker:ro"),
    ]


def _import_image_once(engine: DockerEngine) -> None:
    if not engine.docker("images", "--quiet", IMAGE):
        start = 'CMD ["/sbin/device-init"]'
        engine.docker("import", "--change", start, str(device_image_file()), IMAGE)


def _private_text(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def _public_text(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _tar(files: dict[str, str]) -> bytes:
    """The files as `docker cp` takes them: root's, and readable by nobody else, as sshd demands of keys."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            entry.mode = 0o600
            archive.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()
