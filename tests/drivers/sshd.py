"""A real sshd on a loopback port, with its own configuration, host key and one authorized key."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.environment.network import PrivateNetwork

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))

_CONFIG = """\
ListenAddress {host}
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
LogLevel VERBOSE
# bash would read the user's own .bashrc for every command, which may take long
SetEnv SHLVL=2{env}
{extra}
"""


def new_key() -> tuple[str, str]:
    """A private key as text, and its public half as the one line that OpenSSH writes."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return private.decode(), public.decode()


@dataclass(frozen=True, slots=True)
class RunningSshd:
    """An sshd that listens, and how to get in."""

    host: str
    port: int
    user: str
    client_key_pem: str
    host_key: str
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None

    def connections(self) -> list[int]:
        """The processes that serve a connection each."""
        return [] if self.process is None else _children(self.process.pid)

    def kill_connections(self) -> None:
        """Every open connection is gone, as when the network resets it; sshd itself still listens."""
        for pid in self.connections():
            for server in (pid, *_servers_below(pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(server, signal.SIGKILL)

    def freeze_connections(self) -> None:
        """Every open connection falls silent, but stays open: nothing is answered, nothing is reset."""
        for pid in self.connections():
            for server in (pid, *_servers_below(pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(server, signal.SIGSTOP)

    def elsewhere(self) -> RunningSshd:
        """The same device at a port where nobody listens."""
        return replace(self, port=_free_port(), process=None)

    def stop(self) -> None:
        """Nobody listens any more, and no connection is open."""
        self.kill_connections()
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=10)


def start_sshd(
    folder: Path,
    *,
    port: int | None = None,
    extra: str = "",
    network: PrivateNetwork | None = None,
    env: Mapping[str, str] | None = None,
) -> RunningSshd:
    """An sshd for the user who runs the tests. Started again in the same folder it keeps its keys; `extra` is configuration.

    In another `network` it is reached at that one's address; `env` is what its sessions begin with.
    """
    if SSHD is None:
        raise RuntimeError("openssh-server is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    client_key, host_key = _keys(folder)
    port = port or _free_port()
    host = network.inside if network else "127.0.0.1"
    words = "".join(f' "{name}={value}"' for name, value in (env or {}).items())
    config = _CONFIG.format(host=host, port=port, folder=folder, extra=extra, env=words)
    (folder / "sshd_config").write_text(config)
    command = [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = folder / "sshd.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            network.command(*command) if network else command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    running = RunningSshd(
        host=host,
        port=port,
        user=getpass.getuser(),
        client_key_pem=client_key,
        host_key=host_key,
        log=log,
        process=process,
    )
    try:
        _await_banner(running, process=process)
    except RuntimeError as error:
        running.stop()
        raise RuntimeError(f"{error}: {log.read_text()[-1000:]}") from None
    return running


def _keys(folder: Path) -> tuple[str, str]:
    client, public_host = folder / "client_key", folder / "host_key.pub"
    if not client.exists():
        private, public = new_key()
        (folder / "authorized_keys").write_text(public + "\n")
        private_host, public_of_host = new_key()
        (folder / "host_key").touch(mode=0o600)
        (folder / "host_key").write_text(private_host)
        public_host.write_text(public_of_host)
        client.touch(mode=0o600)
        client.write_text(private)
    return client.read_text(), public_host.read_text()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_banner(sshd: RunningSshd, *, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection((sshd.host, sshd.port), timeout=5) as probe:
                if probe.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("sshd does not start")


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


def _servers_below(pid: int) -> list[int]:
    """With privilege separation a second sshd serves the connection; what a command started is left alone."""
    below = []
    for child in _children(pid):
        with contextlib.suppress(OSError):
            if (Path("/proc") / str(child) / "comm").read_text().startswith("sshd"):
                below.append(child)
    return below
