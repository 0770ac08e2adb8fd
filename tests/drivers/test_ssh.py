"""What only SSH has: host keys, logins, and connections that break."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import PrivateFormat

from devices.drivers.ssh import SshAddress, SshShell
from devices.drivers.ssh_login import KeyLogin, Login, PasswordLogin
from devices.errors import DeviceUnreachable, HostKeyChanged, HostKeyUnknown, LoginRefused
from tests.drivers.sshd import RunningSshd, new_key, start_sshd

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey
PRIVATE_KEYS: dict[str, PrivateKey] = {
    "ed25519": Ed25519PrivateKey.generate(),
    "rsa": RSA,
    "ecdsa": ec.generate_private_key(ec.SECP256R1()),
}


def one_line(key: PrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode()
    )


def address(sshd: RunningSshd) -> SshAddress:
    return SshAddress(sshd.host, sshd.port, sshd.user)


def right_login(sshd: RunningSshd) -> KeyLogin:
    return KeyLogin(sshd.client_key_pem)


def opened(sshd: RunningSshd, *, login: Login | None = None, silence: float = 30) -> SshShell:
    login = login or right_login(sshd)
    return SshShell(address(sshd), login=login, host_key=sshd.host_key, silence_seconds=silence)


@pytest.fixture
def own_sshd(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningSshd]:
    """One whose connections no other test needs; the parameter is configuration."""
    running = start_sshd(tmp_path / "own", extra=getattr(request, "param", ""))
    yield running
    running.stop()


def said_by(sshd: RunningSshd) -> str:
    assert sshd.log is not None
    return sshd.log.read_text()


def test_an_unknown_host_key_is_offered_before_any_credential(own_sshd: RunningSshd) -> None:
    shell = SshShell(address(own_sshd), login=right_login(own_sshd), host_key=None)
    with shell, pytest.raises(HostKeyUnknown) as refused:
        shell.boot_id()
    assert refused.value.offered == own_sshd.host_key
    assert "publickey" not in said_by(own_sshd)


def test_a_changed_host_key_is_refused_before_any_credential(own_sshd: RunningSshd) -> None:
    shell = SshShell(address(own_sshd), login=right_login(own_sshd), host_key=new_key()[1])
    with shell, pytest.raises(HostKeyChanged) as refused:
        shell.boot_id()
    assert refused.value.offered == own_sshd.host_key
    assert "publickey" not in said_by(own_sshd)


def test_a_second_host_key_of_the_device_is_no_surprise(tmp_path: Path) -> None:
    second = tmp_path / "rsa_key"
    second.touch(mode=0o600)
    second.write_bytes(
        RSA.private_bytes(
            serialization.Encoding.PEM, PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    sshd = start_sshd(tmp_path / "own", extra=f"HostKey {second}")
    try:
        for known in (one_line(RSA) + " a comment", sshd.host_key):
            with SshShell(address(sshd), login=right_login(sshd), host_key=known) as shell:
                assert shell.boot_id()
    finally:
        sshd.stop()


@pytest.mark.parametrize("kind", PRIVATE_KEYS)
@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8])
@pytest.mark.parametrize("passphrase", [None, "tree house"])
def test_every_usual_private_key_is_read(
    kind: str, form: PrivateFormat, passphrase: str | None
) -> None:
    key = PRIVATE_KEYS[kind]
    sealed: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        sealed = serialization.BestAvailableEncryption(passphrase.encode())
    text = key.private_bytes(serialization.Encoding.PEM, form, sealed).decode()
    read = KeyLogin(text, passphrase).key()
    assert f"{read.get_name()} {read.get_base64()}" == one_line(key)
    if passphrase is not None:
        with pytest.raises(LoginRefused):
            KeyLogin(text, "another").key()


def test_keys_of_other_kinds_log_in_too(tmp_path: Path) -> None:
    sshd = start_sshd(tmp_path / "own")
    authorized = tmp_path / "own" / "authorized_keys"
    authorized.write_text("\n".join(map(one_line, PRIVATE_KEYS.values())) + "\n")
    try:
        for key in PRIVATE_KEYS.values():
            text = key.private_bytes(
                serialization.Encoding.PEM, PrivateFormat.OpenSSH, serialization.NoEncryption()
            )
            with opened(sshd, login=KeyLogin(text.decode())) as shell:
                assert shell.boot_id()
    finally:
        sshd.stop()


@pytest.mark.parametrize("own_sshd", ["PasswordAuthentication yes"], indirect=True)
@pytest.mark.parametrize(
    "login",
    [
        KeyLogin(new_key()[0]),
        KeyLogin(
            "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0LXRleHQ=\n-----END OPENSSH PRIVATE KEY-----"
        ),
        KeyLogin("c2VjcmV0LXRleHQ="),
        PasswordLogin("c2VjcmV0LXRleHQ="),
    ],
    ids=["not authorized", "damaged", "no key", "password"],
)
def test_a_wrong_credential_is_refused_and_never_shown(
    own_sshd: RunningSshd, login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = ["c2VjcmV0LXRleHQ="]
    if isinstance(login, KeyLogin):
        secrets += [line for line in login.private_key.splitlines() if not line.startswith("-")]
    with opened(own_sshd, login=login) as shell, pytest.raises(LoginRefused) as refused:
        shell.boot_id()
    error: BaseException | None = refused.value
    shown = f"{login!r} {caplog.text}"
    while error is not None:
        shown += "".join(traceback.format_exception(error, chain=False))
        error = error.__context__
    assert not [secret for secret in secrets if secret in shown]


def test_a_device_that_does_not_listen_is_unreachable(sshd: RunningSshd) -> None:
    with opened(sshd.elsewhere()) as shell, pytest.raises(DeviceUnreachable):
        shell.boot_id()


def test_a_connection_cut_in_the_middle_is_no_result(own_sshd: RunningSshd) -> None:
    with opened(own_sshd) as shell:
        with pytest.raises(DeviceUnreachable):
            shell.run(
                ["sh", "-c", "echo up; sleep 10"],
                limit_seconds=30,
                on_output=lambda _: own_sshd.kill_connections(),
            )
        assert shell.boot_id()


@pytest.mark.parametrize("waiting", ["output", "input"])
def test_a_silent_device_is_noticed(own_sshd: RunningSshd, waiting: str) -> None:
    began = time.monotonic()
    frozen = threading.Event()

    def on_output(_: bytes) -> None:
        own_sshd.freeze_connections()
        frozen.set()

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(1 << 16)

    with opened(own_sshd, silence=1) as shell, pytest.raises(DeviceUnreachable):
        shell.run(
            ["sh", "-c", "echo up; cat >/dev/null; sleep 20"],
            stdin=endless() if waiting == "input" else None,
            limit_seconds=30,
            on_output=on_output,
        )
    assert frozen.is_set()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "own_sshd", ['ForceCommand echo "Welcome!"; eval "$SSH_ORIGINAL_COMMAND"'], indirect=True
)
def test_what_a_login_prints_is_no_output_of_ours(own_sshd: RunningSshd) -> None:
    with opened(own_sshd) as shell:
        assert shell.run(["echo", "ours"], limit_seconds=20).output == b"ours\n"


@pytest.mark.parametrize("own_sshd", ["ForceCommand echo This account is closed."], indirect=True)
def test_a_login_without_a_shell_says_so(own_sshd: RunningSshd) -> None:
    with opened(own_sshd) as shell, pytest.raises(DeviceUnreachable, match="account is closed"):
        shell.boot_id()
