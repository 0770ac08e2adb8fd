"""A device that plays Mender's client: its own key, and requests as the real one sends them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as HttpResponse

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey

AUTH = "/api/devices/v1/authentication/auth_requests"
INVENTORY = "/api/devices/v1/inventory/device/attributes"


def fresh_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def public_text(key: PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signature(key: PrivateKey, content: bytes) -> str:
    match key:
        case RSAPrivateKey():
            made = key.sign(content, PKCS1v15(), SHA256())
        case EllipticCurvePrivateKey():
            made = key.sign(content, ECDSA(SHA256()))
        case Ed25519PrivateKey():
            made = key.sign(content)
    return base64.b64encode(made).decode()


class PretendDevice:
    """Asks through Django's test client. `token` is what it was given last."""

    def __init__(self, identity: Mapping[str, object], *, key: PrivateKey | None = None) -> None:
        self.identity = dict(identity)
        self.key = key or fresh_key()
        self.token = ""
        self._client = Client()

    def auth_body(self) -> bytes:
        said = {
            "id_data": json.dumps(self.identity),
            "tenant_token": "",
            "pubkey": public_text(self.key),
        }
        return json.dumps(said).encode() + b"\n"

    def send_auth(self, body: bytes, *, proof: str) -> HttpResponse:
        return self._client.post(
            AUTH,
            body,
            content_type="application/json",
            headers={"Authorization": "Bearer ", "X-MEN-Signature": proof},
        )

    def ask(self) -> HttpResponse:
        """As the client does at its retry interval."""
        body = self.auth_body()
        answer = self.send_auth(body, proof=signature(self.key, body))
        if answer.status_code == 200:
            self.token = answer.content.decode()
        return answer

    def report(
        self, attributes: object, *, method: str = "PUT", raw: bytes | None = None
    ) -> HttpResponse:
        """Its inventory: a dictionary as the protocol's list, anything else as it is."""
        if isinstance(attributes, dict):
            attributes = [{"name": name, "value": value} for name, value in attributes.items()]
        return self._client.generic(
            method,
            INVENTORY,
            json.dumps(attributes).encode() if raw is None else raw,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.token}"},
        )
