"""Who signed an artifact: the keys that Mender's clients take, and what is said when it was somebody else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.formats.build import artifact
from tests.formats.refusal import read
from updates.errors import ArtifactRefused, KeyRefused
from updates.formats.mender_artifact import (
    ArtifactDescription,
    PublicKey,
    read_public_key,
    verify_signature,
)

Sign = Callable[[bytes], bytes]
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@cache
def rsa_key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem_of(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def rsa_public(number: int) -> PublicKey:
    return read_public_key(pem_of(rsa_key(number).public_key()))


def ec_public(number: int) -> PublicKey:
    return read_public_key(pem_of(ec_key(number).public_key()))


def by_rsa(number: int) -> Sign:
    return lambda manifest: rsa_key(number).sign(manifest, padding.PKCS1v15(), SHA256())


def by_ec(number: int) -> Sign:
    def sign(manifest: bytes) -> bytes:
        r, s = decode_dss_signature(ec_key(number).sign(manifest, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def signed(sign: Sign, *, over: bytes | None = None) -> ArtifactDescription:
    """An artifact with a signature over its own manifest, or over something else."""
    manifest = read(artifact()).manifest if over is None else over
    return read(artifact(signature=base64.b64encode(sign(manifest))))


def refusal(description: ArtifactDescription, *keys: PublicKey) -> ArtifactRefused:
    with pytest.raises(ArtifactRefused) as caught:
        verify_signature(description, keys)
    return caught.value


@pytest.mark.parametrize("sign", [by_rsa(0), by_ec(0)], ids=["RSA", "ECDSA"])
def test_the_key_that_signed_is_found_among_others(sign: Sign) -> None:
    keys = [rsa_public(1), ec_public(1), rsa_public(0), ec_public(0)]
    found = verify_signature(signed(sign), keys)
    assert found is (keys[2] if found.kind.startswith("RSA") else keys[3])


def test_an_artifact_without_a_signature_is_unsigned() -> None:
    assert refusal(read(artifact()), rsa_public(0)).rule == "unsigned"


@pytest.mark.parametrize("sign", [by_rsa(0), by_ec(0)], ids=["RSA", "ECDSA"])
def test_another_key_is_unknown(sign: Sign) -> None:
    refused = refusal(signed(sign), rsa_public(1), ec_public(1))
    assert refused.rule == "signed-by-unknown-key"
    assert "2 keys" in str(refused)


def test_without_keys_every_signature_is_by_an_unknown_one() -> None:
    assert refusal(signed(by_rsa(0))).rule == "signed-by-unknown-key"


def test_a_known_rsa_key_over_another_manifest_is_a_bad_signature() -> None:
    description = signed(by_rsa(0), over=b"something else")
    assert refusal(description, rsa_public(1), rsa_public(0)).rule == "bad-signature"


def test_an_ecdsa_signature_over_another_manifest_is_refused() -> None:
    description = signed(by_ec(0), over=b"something else")
    assert refusal(description, ec_public(0)).rule == "signed-by-unknown-key"


def test_ecdsa_in_der_is_refused_as_every_client_does() -> None:
    description = signed(lambda manifest: ec_key(0).sign(manifest, ec.ECDSA(SHA256())))
    assert refusal(description, ec_public(0)).rule == "signed-by-unknown-key"


@pytest.mark.parametrize("r", [0, 1, P256_ORDER, 2**256 - 1])
@pytest.mark.parametrize("s", [0, 1, P256_ORDER, 2**256 - 1])
def test_numbers_out_of_range_are_no_signature(r: int, s: int) -> None:
    description = signed(lambda manifest: r.to_bytes(32) + s.to_bytes(32))
    assert refusal(description, ec_public(0), rsa_public(0)).rule == "signed-by-unknown-key"


@pytest.mark.parametrize("length", [64, 255, 256, 257, 512, 1024])
def test_any_other_bytes_are_no_signature(length: int) -> None:
    description = signed(lambda manifest: b"\xff" * length)
    assert refusal(description, ec_public(0), rsa_public(0)).rule == "signed-by-unknown-key"


def test_a_key_reads_the_same_however_its_pem_is_written() -> None:
    pem = pem_of(rsa_key(0).public_key())
    key = read_public_key(pem)
    der = rsa_key(0).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key.fingerprint == hashlib.sha256(der).hexdigest()
    assert read_public_key(b"a comment\n" + pem.replace(b"\n", b"\r\n")) == key
    assert read_public_key(key.pem) == key
    assert rsa_public(1) != key
    assert (key.kind, ec_public(0).kind) == ("RSA, 2048 bits", "ECDSA P-256")


def _refused_keys() -> dict[str, tuple[bytes, str]]:
    private = ec_key(0).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()  # noqa: S505
    return {
        "nothing": (b"", "key-unreadable"),
        "text": (b"no key", "key-unreadable"),
        "half": (pem_of(ec_key(0).public_key())[:80], "key-unreadable"),
        "enormous": (b"x" * 20_000, "key-too-large"),
        "a private key": (private, "key-private"),
        "another curve": (
            pem_of(ec.generate_private_key(ec.SECP384R1()).public_key()),
            "key-kind",
        ),
        "Ed25519": (pem_of(ed25519.Ed25519PrivateKey.generate().public_key()), "key-kind"),
        "a short RSA key": (pem_of(small), "key-size"),
    }


@pytest.mark.parametrize("name", _refused_keys())
def test_what_no_artifact_can_be_verified_with_is_no_key(name: str) -> None:
    pem, rule = _refused_keys()[name]
    with pytest.raises(KeyRefused) as caught:
        read_public_key(pem)
    assert caught.value.rule == rule
    assert str(caught.value).endswith(".")
