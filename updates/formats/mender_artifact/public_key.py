"""Public keys that signatures of artifacts are verified with: RSA, and ECDSA on P-256, as Mender's clients take them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from updates.errors import KeyRefused

LARGEST_PEM_BYTES = 16 * 1024
RSA_BITS = range(2048, 8192 + 1)


@dataclass(frozen=True)
class PublicKey:
    """One key. Two are equal when they are the same key, however their PEM was written."""

    fingerprint: str
    """SHA-256 of the key's DER form (SubjectPublicKeyInfo), 64 lower-case hex digits."""
    numbers: RSAPublicKey | EllipticCurvePublicKey = field(compare=False, repr=False)

    @property
    def kind(self) -> str:
        """What it is, for a person: `RSA, 3072 bits` or `ECDSA P-256`."""
        if isinstance(self.numbers, RSAPublicKey):
            return f"RSA, {self.numbers.key_size} bits"
        return "ECDSA P-256"

    @cached_property
    def pem(self) -> str:
        """The key as PEM (PKIX), the one way to write it down."""
        return self.numbers.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_key(pem: str | bytes) -> PublicKey:
    """Return the one key in `pem`. Raises KeyRefused for anything that no artifact can be verified with."""
    content = pem.encode() if isinstance(pem, str) else pem
    if len(content) > LARGEST_PEM_BYTES:
        raise KeyRefused("key-too-large", "The file is too large to be a key.")
    if b"PRIVATE KEY" in content:
        raise KeyRefused(
            "key-private",
            "This is a private key. Only the public key belongs here; keep this one secret.",
        )
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused("key-unreadable", "This is not a public key in PEM form.") from None
    return public_key_of(key)


def public_key_of(key: object) -> PublicKey:
    """The same key, with its fingerprint. Raises KeyRefused if it is of another kind than artifacts are signed with."""
    if isinstance(key, EllipticCurvePublicKey):
        if not isinstance(key.curve, SECP256R1):
            raise KeyRefused(
                "key-kind",
                f"The key is on the curve {key.curve.name}; artifacts are signed on P-256 only.",
            )
    elif not isinstance(key, RSAPublicKey):
        raise KeyRefused("key-kind", "The key is neither RSA nor ECDSA on the curve P-256.")
    elif key.key_size not in RSA_BITS:
        raise KeyRefused(
            "key-size",
            f"The RSA key has {key.key_size} bits; {RSA_BITS.start} to {RSA_BITS.stop - 1} can be used.",
        )
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(fingerprint=hashlib.sha256(der).hexdigest(), numbers=key)
