"""The certificate that the portal makes for itself: kept while it is good, made anew when it is not."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from portal.supervisor import certificate
from portal.supervisor.certificate import VALID, own_certificate


def names_of(path: Path) -> set[str]:
    found = x509.load_pem_x509_certificate(path.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def test_it_is_for_this_machine_and_the_hosts_given(tmp_path: Path) -> None:
    hosts = ["fleet.example", "192.0.2.7", "[::1]", "0.0.0.0", "*", ".example", "a b"]  # noqa: S104 - a name
    made = own_certificate(tmp_path, hosts=hosts)
    wanted = {"localhost", "127.0.0.1", "fleet.example", "192.0.2.7", "::1"}
    assert names_of(made.certificate) == wanted


def test_its_key_is_for_the_portals_user_alone(tmp_path: Path) -> None:
    made = own_certificate(tmp_path / "tls", hosts=[])
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert made.key.parent.stat().st_mode & 0o777 == 0o700


def test_one_that_is_kept_stays_what_it_is(tmp_path: Path) -> None:
    first = own_certificate(tmp_path, hosts=["fleet.example"]).certificate.read_bytes()
    assert own_certificate(tmp_path, hosts=["fleet.example"]).certificate.read_bytes() == first
    assert own_certificate(tmp_path, hosts=[]).certificate.read_bytes() == first


def test_one_that_lacks_a_host_is_made_anew(tmp_path: Path) -> None:
    first = own_certificate(tmp_path, hosts=[]).certificate.read_bytes()
    again = own_certificate(tmp_path, hosts=["fleet.example"])
    assert again.certificate.read_bytes() != first
    assert "fleet.example" in names_of(again.certificate)


@pytest.mark.parametrize(("days", "is_kept"), [(31, True), (29, False), (-1, False)])
def test_one_that_is_about_to_expire_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: int, is_kept: bool
) -> None:
    monkeypatch.setattr(certificate, "VALID", timedelta(days=days, hours=1))
    first = own_certificate(tmp_path, hosts=[]).certificate.read_bytes()
    monkeypatch.setattr(certificate, "VALID", VALID)
    again = own_certificate(tmp_path, hosts=[]).certificate.read_bytes()
    assert (again == first) is is_kept
    ends = x509.load_pem_x509_certificate(again).not_valid_after_utc
    assert ends > datetime.now(UTC) + timedelta(days=30)


@pytest.mark.parametrize("broken", ["certificate.pem", "key.pem"])
def test_one_that_cannot_be_read_is_made_anew(tmp_path: Path, broken: str) -> None:
    own_certificate(tmp_path, hosts=[])
    (tmp_path / broken).write_text("nothing")
    made = own_certificate(tmp_path, hosts=[])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)


def test_openssl_trusts_it_by_itself(tmp_path: Path) -> None:
    made = own_certificate(tmp_path, hosts=[])
    words = ["openssl", "verify", "-purpose", "sslserver", "-verify_ip", "127.0.0.1"]
    done = subprocess.run(
        [*words, "-CAfile", str(made.certificate), str(made.certificate)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done
