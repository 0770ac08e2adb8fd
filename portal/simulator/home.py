"""What a pretend device keeps over a restart: its key, and what is installed. Two files in a folder."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256

FIRST_ARTIFACT: Final = "factory"

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class OwnKey:
    """A device's private key, Ed25519 or ECDSA P-256: the kinds that small devices make for themselves."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.public_pem = (
            key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )

    def signature(self, body: bytes) -> str:
        """Base64 of the signature over exactly these bytes, as Mender's client makes it."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            signature = self._key.sign(body)
        else:
            signature = self._key.sign(body, ec.ECDSA(SHA256()))
        return base64.b64encode(signature).decode()


class Home:
    """The files of one device, by its name. The folder is there and closed to other users."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = folder / f"{name}.pem"
        self._provides = folder / f"{name}.json"

    def key(self, *, is_small: bool) -> OwnKey:
        """The device's key: the one it has, else a new one, which it keeps. `is_small`: make one of Ed25519."""
        if self._key.exists():
            loaded = serialization.load_pem_private_key(self._key.read_bytes(), password=None)
            if isinstance(loaded, PrivateKey):
                return OwnKey(loaded)
            raise ValueError(f"{self._key} holds no key that a pretend device could use.")
        made = (
            ed25519.Ed25519PrivateKey.generate()
            if is_small
            else ec.generate_private_key(ec.SECP256R1())
        )
        self._key.touch(mode=0o600)
        self._key.write_bytes(
            made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return OwnKey(made)

    def provides(self) -> dict[str, str]:
        """What is installed."""
        if not self._provides.exists():
            return {"artifact_name": FIRST_ARTIFACT}
        kept: dict[str, str] = json.loads(self._provides.read_text())
        return kept

    def keep(self, provides: dict[str, str]) -> None:
        """This is installed from now on, however the process ends."""
        fresh = self._provides.with_suffix(".new")
        fresh.write_text(json.dumps(provides))
        fresh.replace(self._provides)
