"""Private keys that artifacts are signed with. The key itself appears in no sentence, no repr and no log."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from updates.errors import KeyRefused
from updates.formats.mender_artifact.public_key import LARGEST_PEM_BYTES, PublicKey, public_key_of
from updates.formats.mender_artifact.signature import RAW_NUMBER_BYTES


class SigningKey:
    """`public_key` is what its signatures are verified with."""

    def __init__(
        self, key: RSAPrivateKey | EllipticCurvePrivateKey, *, public_key: PublicKey
    ) -> None:
        self._key = key
        self.public_key = public_key

    def sign(self, manifest: bytes) -> bytes:
        """Return the signature's raw bytes, as `signature` describes them."""
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(manifest, PKCS1v15(), SHA256())
        r, s = decode_dss_signature(self._key.sign(manifest, ECDSA(SHA256())))
        return r.to_bytes(RAW_NUMBER_BYTES) + s.to_bytes(RAW_NUMBER_BYTES)


def read_signing_key(pem: str | bytes, *, password: str | None = None) -> SigningKey:
    """Return the key in `pem`: RSA or ECDSA P-256, in PKCS#1, SEC1 or PKCS#8 form, encrypted or not.

    Raises KeyRefused for anything else, and for a password that is missing, wrong or not needed.
    """
    content = pem.encode() if isinstance(pem, str) else pem
    if len(content) > LARGEST_PEM_BYTES:
        raise KeyRefused("key-too-large", "The file is too large to be a key.")
    secret = None if password is None else password.encode()
    try:
        key = load_pem_private_key(content, password=secret)
    except TypeError:
        sentence = (
            "needs its password" if password is None else "is not encrypted: it has no password"
        )
        raise KeyRefused("key-password", f"The private key {sentence}.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefused(
            "key-unreadable", "This is not a private key in PEM form, or the password is wrong."
        ) from None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey):
        raise KeyRefused("key-kind", "The key is neither RSA nor ECDSA on the curve P-256.")
    return SigningKey(key, public_key=public_key_of(key.public_key()))
