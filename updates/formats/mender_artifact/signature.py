"""The member `manifest.sig`: base64 of a signature over the manifest's bytes. Taken apart here, judged elsewhere."""

from __future__ import annotations

import base64
import binascii

from updates.errors import ArtifactRefused

_SMALLEST_BYTES = 64  # ECDSA P-256 as raw r and s; RSA signatures are as long as their key
_LARGEST_BYTES = 1024


def decode_signature(content: bytes) -> bytes:
    """Return the signature's raw bytes. Raises ArtifactRefused for what no client could verify."""
    try:
        signature = base64.b64decode(content, validate=True)
    except binascii.Error as error:
        raise ArtifactRefused("signature", "manifest.sig is not base64.") from error
    if not _SMALLEST_BYTES <= len(signature) <= _LARGEST_BYTES:
        raise ArtifactRefused(
            "signature",
            f"manifest.sig holds {len(signature)} bytes, too few or too many for an RSA or ECDSA signature.",
        )
    return signature
