"""`manage.py trusted_key`, `signing_key` and `credential`: secrets come from files, and are never printed."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
)

from devices.models import Credential
from portal.core.models import AuditEvent
from tests.cli.conftest import run
from updates.models import SigningKey, TrustedKey

pytestmark = pytest.mark.database

PASSWORD = "a word of these tests"


@pytest.fixture
def private_key(tmp_path: Path) -> Path:
    """With a password."""
    key = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    file.write_bytes(
        key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
        )
    )
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    (tmp_path / "public.pem").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return file


def test_a_key_is_trusted_listed_and_trusted_no_more(private_key: Path) -> None:
    said = run("trusted_key", "add", "build server", str(private_key.with_name("public.pem")))
    assert said.facts["kind"] == "ECDSA P-256"
    assert [row["name"] for row in run("trusted_key", "list", "--json").json] == ["build server"]
    said = run("trusted_key", "delete", "build server", "--reason", "It leaked")
    assert (said.status, TrustedKey.objects.count()) == (0, 0)
    assert AuditEvent.objects.filter(action="trusted_key.remove", reason="It leaked").exists()


def test_what_is_no_key_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no key at all")
    said = run("trusted_key", "add", "x", str(tmp_path / "no.pem"))
    assert said.status == 1 and said.error
    said = run("trusted_key", "add", "x", str(tmp_path / "missing"))
    assert said.error.endswith("missing cannot be read: No such file or directory.")
    (tmp_path / "long").write_text("x" * 20_001)
    assert "longer than 20000" in run("trusted_key", "add", "x", str(tmp_path / "long")).error
    assert not TrustedKey.objects.exists()


def test_a_private_key_goes_in_by_files_and_never_comes_out(private_key: Path) -> None:
    password = str(private_key.with_name("password"))
    assert run("signing_key", "import", "house", str(private_key)).status == 1
    said = run("signing_key", "import", "house", str(private_key), "--password-file", password)
    assert said.status == 0
    listed = run("signing_key", "list", "--json")
    assert listed.json[0]["name"] == "house"
    for answer in (said, listed):
        assert "PRIVATE" not in answer.out and PASSWORD not in answer.out
    assert "BEGIN PRIVATE KEY" in SigningKey.objects.get().private_pem
    run("signing_key", "delete", "house", "--reason", "A new one is there")
    assert not SigningKey.objects.exists()


def test_the_portal_makes_a_key() -> None:
    assert "ECDSA" in run("signing_key", "generate", "house").facts["kind"]
    assert (
        "RSA" in run("signing_key", "generate", "old devices", "--kind", "rsa-3072").facts["kind"]
    )
    assert TrustedKey.objects.count() == 2


def test_a_credential_is_made_and_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    made = ["--kind", "password", "--username", "root", "--secret-file", str(tmp_path / "secret")]
    said = run("credential", "add", "shops", *made)
    assert (said.status, PASSWORD in said.out) == (0, False)
    kept = Credential.objects.get()
    assert (kept.username, kept.secret) == ("root", PASSWORD)

    monkeypatch.setattr(sys, "stdin", io.StringIO("another word\n"))
    said = run("credential", "edit", "shops", "--username", "service", "--secret-file", "-")
    assert said.facts["user"] == "service"
    kept = Credential.objects.get()
    assert (kept.username, kept.secret) == ("service", "another word")
    assert "another word" not in run("credential", "list", "--json").out
    record = AuditEvent.objects.latest("at")
    assert record.action == "credential.replace"
    assert "another word" not in str(record.data)


def test_a_key_that_nobody_can_read_is_no_credential(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush hush")
    kind = next(kind.value for kind in Credential.Kind if kind != Credential.Kind.PASSWORD)
    made = ["--kind", kind, "--username", "root", "--secret-file", str(tmp_path / "secret")]
    said = run("credential", "add", "shops", *made)
    assert (said.status, "hush" in said.error) == (1, False)
    assert not Credential.objects.exists()
