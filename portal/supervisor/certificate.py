"""The certificate that the portal makes for itself, so that a trial speaks TLS and a device can trust it."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID: Final = timedelta(days=825)
RENEWED: Final = timedelta(days=30)
"""This long before its end, a certificate is replaced at the next start."""
NAME: Final = "Fleetwright"
IN_ANY_CASE: Final = ("localhost", "127.0.0.1")
LONGEST_NAME: Final = 253


@dataclass(frozen=True, slots=True)
class Certificate:
    """Where the PEM files are. Whoever has the first can trust the portal; the second is for the portal's user alone."""

    certificate: Path
    key: Path


def own_certificate(folder: Path, *, hosts: Iterable[str]) -> Certificate:
    """The one that is kept in `folder`, made on first use, and made anew when it is about to expire or lacks one of `hosts`.

    It is for localhost and 127.0.0.1 in any case. One that is kept stays what it is, so that devices go on trusting it.
    """
    kept = Certificate(folder / "certificate.pem", folder / "key.pem")
    wanted = _names({*IN_ANY_CASE, *hosts})
    if not _still_good(kept, wanted):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(kept, wanted)
    return kept


def _still_good(kept: Certificate, wanted: set[x509.GeneralName]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(kept.certificate.read_bytes())
        key = serialization.load_pem_private_key(kept.key.read_bytes(), password=None)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    lasts = certificate.not_valid_after_utc - datetime.now(UTC) > RENEWED
    return lasts and wanted <= set(names.value) and certificate.public_key() == key.public_key()


def _make(kept: Certificate, names: set[x509.GeneralName]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    in_order = sorted(names, key=lambda name: str(name.value))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a device's clock may be behind
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(in_order), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _put(kept.key, plain, mode=0o600)
    _put(kept.certificate, certificate.public_bytes(pem), mode=0o644)


def _put(path: Path, content: bytes, *, mode: int) -> None:
    """The file holds `content`, or what it held before: never a part of it, and never readable by more than `mode` lets."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _names(hosts: Iterable[str]) -> set[x509.GeneralName]:
    """As a certificate has them. What no certificate can name is left out: a wildcard, an address for "everywhere"."""
    names: set[x509.GeneralName] = set()
    for host in hosts:
        plain = host.strip("[]")
        try:
            address = ipaddress.ip_address(plain)
        except ValueError:
            if _is_name(plain):
                names.add(x509.DNSName(plain))
        else:
            if not address.is_unspecified:
                names.add(x509.IPAddress(address))
    return names


def _is_name(host: str) -> bool:
    letters = host.replace("-", "").replace(".", "").replace("_", "")
    return letters.isascii() and letters.isalnum() and len(host) <= LONGEST_NAME and host[0] != "."
