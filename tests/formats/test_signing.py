"""Signing: with every form of key that people have, while writing and afterwards."""

from __future__ import annotations

import io
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.formats.build import END, artifact, at
from tests.formats.refusal import read
from tests.formats.test_signatures import ec_key, pem_of, rsa_key
from updates.errors import ArtifactRefused, KeyRefused
from updates.formats.mender_artifact import (
    ArtifactSpec,
    SigningKey,
    file_from,
    read_signing_key,
    sign_artifact,
    verify_signature,
    write_artifact,
)

OLD, NEW = PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8
SPEC = ArtifactSpec(
    name="release-1",
    device_types=("box",),
    payload_type="directory",
    files=(file_from(io.BytesIO(b"content"), name="a"),),
)


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
    form: PrivateFormat,
    password: bytes = b"",
) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, encryption)


def signing_key(number: int = 0) -> SigningKey:
    return read_signing_key(pem(ec_key(number), NEW))


def signed(content: bytes, key: SigningKey) -> bytes:
    out = io.BytesIO()
    sign_artifact(io.BytesIO(content), key, out)
    return out.getvalue()


KEYS = {
    "RSA, PKCS#1": (rsa_key(0), OLD),
    "RSA, PKCS#8": (rsa_key(0), NEW),
    "ECDSA, SEC1": (ec_key(0), OLD),
    "ECDSA, PKCS#8": (ec_key(0), NEW),
}


@pytest.mark.parametrize(("key", "form"), KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("password", ["", "open sesame"], ids=["plain", "encrypted"])
def test_a_key_in_any_form_signs_what_is_written(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PrivateFormat, password: str
) -> None:
    read_key = read_signing_key(pem(key, form, password.encode()), password=password or None)
    out = io.BytesIO()
    write_artifact(SPEC, out, key=read_key)
    assert verify_signature(read(out.getvalue()), [read_key.public_key]) is read_key.public_key
    assert read_key.public_key.pem.encode() == pem_of(key.public_key())


def test_a_key_with_its_parameters_in_front_as_openssl_writes_it_is_read(tmp_path: Path) -> None:
    words = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-out", "key.pem"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    content = (tmp_path / "key.pem").read_bytes()
    assert b"EC PARAMETERS" in content
    assert read_signing_key(content).public_key.kind == "ECDSA P-256"


REFUSED = {
    "nothing": (b"", None, "key-unreadable"),
    "text": (b"secret words", None, "key-unreadable"),
    "a public key": (pem_of(rsa_key(0).public_key()), None, "key-unreadable"),
    "enormous": (b"x" * 20_000, None, "key-too-large"),
    "no password": (pem(rsa_key(0), NEW, b"x"), None, "key-password"),
    "wrong password": (pem(rsa_key(0), NEW, b"x"), "y", "key-unreadable"),
    "password for nothing": (pem(rsa_key(0), NEW), "y", "key-password"),
    "Ed25519": (pem(ed25519.Ed25519PrivateKey.generate(), NEW), None, "key-kind"),
    "another curve": (pem(ec.generate_private_key(ec.SECP384R1()), NEW), None, "key-kind"),
}


@pytest.mark.parametrize(("content", "password", "rule"), REFUSED.values(), ids=REFUSED)
def test_what_no_artifact_can_be_signed_with_is_no_key(
    content: bytes, password: str | None, rule: str
) -> None:
    with pytest.raises(KeyRefused) as caught:
        read_signing_key(content, password=password)
    assert caught.value.rule == rule


def test_a_key_shows_itself_nowhere() -> None:
    key = read_signing_key(pem(ec_key(0), NEW))
    secret = f"{ec_key(0).private_numbers().private_value}"
    assert secret not in f"{key!r}{key.public_key!r}{vars(key)}"


def test_signing_an_artifact_changes_nothing_but_its_signature() -> None:
    content = artifact(meta_data=b"{}", scripts=[("ArtifactInstall_Enter_00", b"x")])
    key = signing_key()
    found = read(signed(content, key))
    assert replace(found, signature=None) == read(content)
    assert verify_signature(found, [key.public_key])


def test_signing_again_replaces_the_signature() -> None:
    first, second = signing_key(0), signing_key(1)
    content = signed(signed(artifact(), first), second)
    assert verify_signature(read(content), [first.public_key, second.public_key]) is (
        second.public_key
    )
    with pytest.raises(ArtifactRefused):
        verify_signature(read(content), [first.public_key])


def test_what_we_wrote_unsigned_and_signed_later_is_what_we_write_signed() -> None:
    key = read_signing_key(pem(rsa_key(0), NEW))  # its signatures are the same each time
    plain, at_once = io.BytesIO(), io.BytesIO()
    write_artifact(SPEC, plain)
    write_artifact(SPEC, at_once, key=key)
    assert signed(plain.getvalue(), key) == at_once.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"no artifact",
        artifact(end=END + b"x"),
        artifact(change_data=at("a.bin", content=b"First\n")),
        artifact(signature=b"no base64"),
    ],
    ids=["no artifact", "garbage behind it", "wrong checksum", "broken signature"],
)
def test_nothing_is_signed_that_is_not_in_order(content: bytes) -> None:
    out = io.BytesIO()
    with pytest.raises(ArtifactRefused):
        sign_artifact(io.BytesIO(content), signing_key(), out)
    assert out.getvalue() == b""
