"""Who we are to a device, and how we know that it is the device: credentials and the pinned host key.

No agent, no `known_hosts`, nothing of `~/.ssh`: what is not given here does not exist.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes

from devices.errors import HostKeyChanged, HostKeyUnknown, LoginRefused

_KINDS: tuple[tuple[type, type[paramiko.PKey]], ...] = (
    (ed25519.Ed25519PrivateKey, paramiko.Ed25519Key),
    (rsa.RSAPrivateKey, paramiko.RSAKey),
    (ec.EllipticCurvePrivateKey, paramiko.ECDSAKey),
)
_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")


@dataclass(frozen=True, slots=True)
class KeyLogin:
    """A private key as text, in OpenSSH's format or PEM: Ed25519, RSA or ECDSA."""

    private_key: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)

    def present(self, transport: paramiko.Transport, *, user: str) -> None:
        transport.auth_publickey(user, self.key())

    def key(self) -> paramiko.PKey:
        """The key, ready to sign. `LoginRefused` when it cannot be read; the text is never part of what is said."""
        try:
            loaded = _load(self.private_key.strip() + "\n", self.passphrase)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise LoginRefused(
                "The private key cannot be read: damaged, an unknown kind, or another passphrase."
            ) from None
        for kind, reader in _KINDS:
            if isinstance(loaded, kind):
                text = loaded.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.OpenSSH,
                    serialization.NoEncryption(),
                )
                return reader.from_private_key(io.StringIO(text.decode()))
        raise LoginRefused(
            "The private key is of a kind that is not used: give Ed25519, RSA or ECDSA."
        )


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """A password; asked for either plainly or as keyboard-interactive."""

    password: str = field(repr=False)

    def present(self, transport: paramiko.Transport, *, user: str) -> None:
        transport.auth_password(user, self.password)


Login = KeyLogin | PasswordLogin


def _load(text: str, passphrase: str | None) -> SSHPrivateKeyTypes:
    data = text.encode()
    secret = passphrase.encode() if passphrase else None
    if "BEGIN OPENSSH PRIVATE KEY" in text:
        return serialization.load_ssh_private_key(data, secret)
    loaded = serialization.load_pem_private_key(data, secret)
    if isinstance(
        loaded, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    ):
        return loaded
    raise ValueError("not a kind of key that SSH devices take")


def prefer_pinned_kind(transport: paramiko.Transport, pinned: str | None) -> None:
    """The device is asked first for the kind of host key that we know, so that a second key of it is no surprise."""
    kind = (pinned or "").split(" ")[0]
    ours = _RSA_SIGNATURES if kind == "ssh-rsa" else (kind,)
    options = transport.get_security_options()
    known = tuple(options.key_types)
    options.key_types = sorted(known, key=lambda name: name not in ours)


def demand_pinned(transport: paramiko.Transport, pinned: str | None) -> None:
    """The device has proven to hold the pinned key. Called before any credential is sent."""
    key = transport.get_remote_server_key()
    offered = f"{key.get_name()} {key.get_base64()}"
    if pinned is None:
        raise HostKeyUnknown("This device's host key has not been confirmed yet.", offered=offered)
    if pinned.split()[:2] != offered.split():
        raise HostKeyChanged(
            "The device shows another host key than the one that was confirmed.", offered=offered
        )
