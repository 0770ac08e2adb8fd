"""The member `manifest.sig`: base64 of a signature over the manifest's bytes.

Two schemes, as Mender's Artifact format v3 has them: RSA with PKCS#1 v1.5 padding and SHA-256; ECDSA on P-256 with
SHA-256, its two numbers raw, 32 bytes each. The manifest covers all that counts in an artifact, so that a signature that
is good over it, and an artifact that was read without refusal, are good together.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.description import ArtifactDescription
from updates.formats.mender_artifact.public_key import PublicKey

RAW_NUMBER_BYTES = 32
_SMALLEST_BYTES = 2 * RAW_NUMBER_BYTES  # ECDSA; RSA signatures are as long as their key
_LARGEST_BYTES = 1024


def decode_signature(content: bytes) -> bytes:
    """Return the signature's raw bytes. Raises ArtifactRefused for what no client could verify."""
    try:
        signature = base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ArtifactRefused(
            "signature", "The signature in manifest.sig is not base64."
        ) from error
    if not _SMALLEST_BYTES <= len(signature) <= _LARGEST_BYTES:
        raise ArtifactRefused(
            "signature",
            f"The signature in manifest.sig has {len(signature)} bytes, too few or too many for an RSA or ECDSA signature.",
        )
    return signature


def encode_signature(signature: bytes) -> bytes:
    """Return the member's content for a signature's raw bytes."""
    return base64.b64encode(signature)


def verify_signature(
    description: ArtifactDescription, public_keys: Iterable[PublicKey]
) -> PublicKey:
    """Return the key that made the artifact's signature: one of `public_keys`, and the manifest is as it was signed.

    `description` is that of an artifact read to its end, or its head (`open_payload(...).head`), whose payload must then
    still be read without refusal. Raises ArtifactRefused with the rule

    - `unsigned`: there is no signature;
    - `bad-signature`: one of the keys made it, but over another manifest (only RSA can tell this);
    - `signed-by-unknown-key`: none of the keys made it.
    """
    signature = description.signature
    if signature is None:
        raise ArtifactRefused("unsigned", f"The artifact {description.name} is not signed.")
    keys = tuple(public_keys)
    for key in keys:
        if made_by(signature, description.manifest, key):
            return key
    if any(_is_by(signature, key) for key in keys):
        raise ArtifactRefused(
            "bad-signature",
            f"The signature of the artifact {description.name} was made for other content: it was changed afterwards.",
        )
    raise ArtifactRefused(
        "signed-by-unknown-key",
        f"The artifact {description.name} is signed, but not by one of the {len(keys)} keys that are trusted here.",
    )


def made_by(signature: bytes, manifest: bytes, key: PublicKey) -> bool:
    """Whether `key` made this signature over this manifest."""
    try:
        if isinstance(key.numbers, EllipticCurvePublicKey):
            if len(signature) != 2 * RAW_NUMBER_BYTES:
                return False
            r = int.from_bytes(signature[:RAW_NUMBER_BYTES])
            s = int.from_bytes(signature[RAW_NUMBER_BYTES:])
            key.numbers.verify(encode_dss_signature(r, s), manifest, ECDSA(SHA256()))
        else:
            key.numbers.verify(signature, manifest, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _is_by(signature: bytes, key: PublicKey) -> bool:
    """Whether this RSA key made the signature, over whatever it was: the padding then comes out whole."""
    if not isinstance(key.numbers, RSAPublicKey):
        return False
    try:
        key.numbers.recover_data_from_signature(signature, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True
