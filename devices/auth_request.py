"""What a device says when it asks to be let in: who it is, its public key, and the proof that it has the private one.

As Mender's clients send it. Pure: nothing here knows what is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from devices.errors import Unreadable
from portal.core.quoting import quoted
from portal.core.strict_json import decode_json_text, json_object

BODY_LIMIT_BYTES: Final = 64 * 1024
ID_DATA_LIMIT_BYTES: Final = 4 * 1024
KEY_LIMIT_BYTES: Final = 8 * 1024
SIGNATURE_LIMIT_CHARACTERS: Final = 4 * 1024
RSA_BITS: Final = range(2048, 8192 + 1)
MOST_DEPTH: Final = 4

IdentityValue = str | list[str]
IdData = dict[str, IdentityValue]
Key = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True)
class DeviceKey:
    """A public key. Two texts of the same key have the same hash and the same PEM."""

    key: Key

    @property
    def der(self) -> bytes:
        return self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def pem(self) -> str:
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def hash(self) -> str:
        """SHA-256 of the DER form (SubjectPublicKeyInfo), 64 lower-case hex digits."""
        return hashlib.sha256(self.der).hexdigest()

    def signed(self, content: bytes, *, signature: bytes) -> bool:
        """Whether the private half made `signature` over these very bytes, in the way of Mender's clients for such a key."""
        try:
            match self.key:
                case RSAPublicKey():
                    self.key.verify(signature, content, PKCS1v15(), SHA256())
                case EllipticCurvePublicKey():
                    self.key.verify(signature, content, ECDSA(SHA256()))
                case Ed25519PublicKey():
                    self.key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class AuthRequest:
    """Who asks, with which key. Whoever made it has the private half of that key."""

    id_data: IdData
    key: DeviceKey

    @property
    def id_hash(self) -> str:
        return id_hash_of(self.id_data)


def read_auth_request(body: bytes, *, signature: str) -> AuthRequest | None:
    """The request in `body`, or None if `signature` (base64) was not made over these bytes by its own key.

    Unreadable for everything that no client sends.
    """
    if not signature:
        raise Unreadable("The header X-MEN-Signature is missing.")
    if len(signature) > SIGNATURE_LIMIT_CHARACTERS:
        raise Unreadable("The signature in X-MEN-Signature is too long to be one.")
    text = decode_json_text(body, where="the request", refused=unreadable)
    said = json_object(text, where="the request", depth=MOST_DEPTH, refused=unreadable)
    said.check_open_keys(required=("id_data", "pubkey"), optional=("tenant_token", "tier"))
    key = read_device_key(said.text("pubkey"))
    try:
        proof = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("The signature in X-MEN-Signature is not base64.") from None
    id_data = read_id_data(said.text("id_data"))
    return AuthRequest(id_data, key) if key.signed(body, signature=proof) else None


def read_id_data_of(parts: Mapping[str, str]) -> IdData:
    """The identity that has these parts. Unreadable for one that no device could tell."""
    return read_id_data(json.dumps(dict(parts)))


def read_id_data(text: str) -> IdData:
    """The identity in JSON text: an object of texts and lists of texts, not empty. Unreadable for anything else."""
    if len(text.encode(errors="surrogatepass")) > ID_DATA_LIMIT_BYTES:
        raise Unreadable(f"The identity is larger than {ID_DATA_LIMIT_BYTES} bytes.")
    said = json_object(text, where="id_data", depth=2, refused=unreadable)
    identity = {key: _identity_value(key, value) for key, value in said.items()}
    if not identity:
        raise Unreadable("The identity is empty.")
    return identity


def id_hash_of(id_data: Mapping[str, IdentityValue]) -> str:
    """SHA-256 of the identity as JSON with its keys in order: the same identity has the same, however it was written."""
    written = json.dumps(id_data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()


def read_device_key(pem: str) -> DeviceKey:
    """The public key in PEM text. Unreadable for private ones, and for all that no device signs with."""
    if len(pem) > KEY_LIMIT_BYTES:
        raise Unreadable(f"The public key is larger than {KEY_LIMIT_BYTES} bytes.")
    if "PRIVATE KEY" in pem:
        raise Unreadable("This is a private key: only the public one is asked for.")
    try:
        key = load_pem_public_key(pem.encode(errors="replace"))
    except (ValueError, UnsupportedAlgorithm):
        raise Unreadable("The public key is none in PEM form (BEGIN PUBLIC KEY).") from None
    if isinstance(key, RSAPublicKey):
        if key.key_size not in RSA_BITS:
            raise Unreadable(
                f"The RSA key has {key.key_size} bits; {RSA_BITS.start} to {RSA_BITS.stop - 1} can be used."
            )
        return DeviceKey(key)
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1 | SECP384R1):
        return DeviceKey(key)
    if isinstance(key, Ed25519PublicKey):
        return DeviceKey(key)
    raise Unreadable("The public key is neither RSA, nor ECDSA on P-256 or P-384, nor Ed25519.")


def unreadable(_rule: str, sentence: str) -> Unreadable:
    """The refusal that strict JSON is read with."""
    return Unreadable(sentence)


def _identity_value(key: str, value: object) -> IdentityValue:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = [text for text in value if isinstance(text, str)]
        if len(texts) == len(value):
            return texts
    raise Unreadable(f"The identity's {quoted(key)} is neither a text nor a list of texts.")
