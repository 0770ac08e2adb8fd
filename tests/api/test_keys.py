"""Keys over the API: private ones go in, and never come out."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.api.caller import Caller
from tests.api.problems import assert_problem
from updates.models import SigningKey, TrustedKey

pytestmark = pytest.mark.database

KEY = ec.generate_private_key(ec.SECP256R1())
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_public_key_is_trusted_and_trusted_no_more(operator: Caller) -> None:
    answer = operator.post("trusted-keys", name="Build server", pem=PUBLIC)
    assert (answer.status, answer.body["kind"]) == (201, "ECDSA P-256")
    assert operator.get(answer.headers["Location"]).body == answer.body

    assert operator.delete(f"trusted-keys/{answer.body['id']}?reason=Leaked").status == 204
    assert not TrustedKey.objects.exists()


def test_a_private_key_in_its_place_is_refused_and_not_repeated(operator: Caller) -> None:
    answer = operator.post("trusted-keys", name="Oops", pem=PRIVATE)
    assert_problem(answer, status=422, code="UPD-110")
    assert answer.body["rule"] == "key-private"
    assert PRIVATE.split("\n")[1] not in str(answer.body)


@pytest.mark.parametrize("words", [{"generate": "ecdsa-p256"}, {"private_pem": PRIVATE}])
def test_a_signing_key_shows_its_public_half_only(operator: Caller, words: dict[str, str]) -> None:
    answer = operator.post("signing-keys", name="house", **words)
    assert answer.status == 201, answer.body
    assert "PUBLIC KEY" in answer.body["public_pem"]
    for shown in (answer.body, operator.get("signing-keys").body):
        assert "PRIVATE" not in str(shown)
    assert TrustedKey.objects.get().fingerprint == answer.body["fingerprint"]


def test_a_signing_key_comes_one_way_only(operator: Caller) -> None:
    answer = operator.post("signing-keys", name="house", generate="rsa-3072", private_pem=PRIVATE)
    assert_problem(answer, status=400, code="API-400")
    assert not SigningKey.objects.exists()
