"""Keys: whose signature on an artifact counts, and those that the portal signs with itself."""

from __future__ import annotations

import base64
import re
from enum import StrEnum
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.db import connection, transaction

from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.errors import ArtifactRefused
from updates.formats import mender_artifact as mender
from updates.models import Artifact, SigningKey, TrustedKey
from updates.services.reasons import given_reason

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,99}")
RSA_BITS: Final = 3072


class Generated(StrEnum):
    """What the portal makes keys of."""

    ECDSA = "ecdsa-p256"
    RSA = "rsa-3072"


def trust_key(*, name: str, pem: str, actor: Actor) -> TrustedKey:
    """Artifacts that this public key signed, those that are here and those to come, are signed ones.

    KeyRefused for what is no public key that artifacts are signed with.
    """
    actor.require("updates.add_trustedkey")
    return _trust(_named(name), mender.read_public_key(pem), actor=actor)


def distrust_key(*, key: TrustedKey, actor: Actor, reason: str) -> None:
    """The key's signature counts no more: not for artifacts that are here, and not for upgrades that have yet to be checked."""
    actor.require("updates.delete_trustedkey")
    why = given_reason(reason)
    with transaction.atomic():
        _lock_keys("SHARE ROW EXCLUSIVE")
        data = {"fingerprint": key.fingerprint, "artifacts": key.artifacts.count()}
        audit.record(actor=actor, action="trusted_key.remove", subject=key, reason=why, data=data)
        key.delete()


def generate_signing_key(*, name: str, kind: Generated, actor: Actor) -> SigningKey:
    """The portal holds a new private key, and trusts its public half."""
    actor.require("updates.add_signingkey")
    made: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = (
        rsa.generate_private_key(65537, RSA_BITS)
        if kind is Generated.RSA
        else ec.generate_private_key(ec.SECP256R1())
    )
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return _keep_signing_key(name, pem, actor=actor, origin="generated")


def import_signing_key(*, name: str, pem: str, actor: Actor, password: str = "") -> SigningKey:
    """The portal holds this private key, and trusts its public half. KeyRefused for what is no key that it could sign with."""
    actor.require("updates.add_signingkey")
    mender.read_signing_key(pem, password=password or None)
    key = load_pem_private_key(pem.encode(), password=password.encode() if password else None)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return _keep_signing_key(name, plain, actor=actor, origin="imported")


def delete_signing_key(*, key: SigningKey, actor: Actor, reason: str) -> None:
    """The private key is gone for good. What it signed stays signed: whether that counts is up to the trusted keys."""
    actor.require("updates.delete_signingkey")
    why = given_reason(reason)
    with transaction.atomic():
        data = {"fingerprint": key.fingerprint}
        audit.record(actor=actor, action="signing_key.remove", subject=key, reason=why, data=data)
        key.delete()


def open_signing_key(*, key: SigningKey, actor: Actor) -> mender.SigningKey:
    """The key as the writer of artifacts takes it, to sign with right now."""
    actor.require("updates.use_signingkey")
    return mender.read_signing_key(key.private_pem)


def refuse_changed(description: mender.ArtifactDescription) -> None:
    """Nothing, or ArtifactRefused when a trusted key signed the artifact and it was changed afterwards."""
    if description.signature is None:
        return
    try:
        mender.verify_signature(description, trusted_now())
    except ArtifactRefused as error:
        if error.rule != "signed-by-unknown-key":
            raise


def signer_of(artifact: Artifact) -> TrustedKey | None:
    """The key that signed the artifact, of those trusted now; None when it is none of them. That stays true until the commit."""
    if not artifact.is_signed:
        return None
    _lock_keys("SHARE")
    keys = TrustedKey.objects.order_by("pk")
    signers = (key for key in keys if _is_signed_by(artifact, mender.read_public_key(key.pem)))
    return next(signers, None)


def trusted_now() -> list[mender.PublicKey]:
    """The keys whose signature counts at this moment."""
    return [mender.read_public_key(pem) for pem in TrustedKey.objects.values_list("pem", flat=True)]


def _keep_signing_key(name: str, pem: str, *, actor: Actor, origin: str) -> SigningKey:
    public = mender.read_signing_key(pem).public_key
    named = _named(name)
    with transaction.atomic():
        if SigningKey.objects.filter(name=named).exists():
            raise Refused(f"There is a signing key named {named} already.")
        if SigningKey.objects.filter(fingerprint=public.fingerprint).exists():
            raise Refused("The portal holds this very key already.")
        key = SigningKey.objects.create(
            name=named,
            kind=public.kind,
            private_pem=pem,
            public_pem=public.pem,
            fingerprint=public.fingerprint,
            added_by=actor.user,
            added_at=clock.now(),
        )
        data = {"fingerprint": key.fingerprint, "origin": origin}
        audit.record(actor=actor, action="signing_key.add", subject=key, data=data)
        if not TrustedKey.objects.filter(fingerprint=public.fingerprint).exists():
            _trust(named, public, actor=actor)
    return key


def _trust(name: str, public: mender.PublicKey, *, actor: Actor) -> TrustedKey:
    with transaction.atomic():
        _lock_keys("SHARE ROW EXCLUSIVE")
        known = TrustedKey.objects.filter(fingerprint=public.fingerprint).first()
        if known is not None:
            raise Refused(f"This very key is trusted already, as {known}.")
        if TrustedKey.objects.filter(name=name).exists():
            raise Refused(f"There is a trusted key named {name} already.")
        key = TrustedKey.objects.create(
            name=name,
            kind=public.kind,
            pem=public.pem,
            fingerprint=public.fingerprint,
            added_by=actor.user,
            added_at=clock.now(),
        )
        found = [row.pk for row in _unexplained() if _is_signed_by(row, public)]
        Artifact.objects.filter(pk__in=found).update(signed_by=key)
        data = {"fingerprint": key.fingerprint, "artifacts": len(found)}
        audit.record(actor=actor, action="trusted_key.add", subject=key, data=data)
    return key


def _lock_keys(mode: Literal["SHARE", "SHARE ROW EXCLUSIVE"]) -> None:
    """Until the commit nobody trusts or distrusts a key, who has not done so by now.

    Whoever does ("SHARE ROW EXCLUSIVE") thus sees every artifact that was kept before; and who keeps one ("SHARE") every key.
    SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {TrustedKey._meta.db_table} IN {mode} MODE")


def _unexplained() -> list[Artifact]:
    """Signed artifacts of which nobody knew the key until now."""
    rows = Artifact.objects.filter(is_signed=True, signed_by=None).exclude(signature="")
    return list(rows.only("name", "manifest", "signature"))


def _is_signed_by(artifact: Artifact, public: mender.PublicKey) -> bool:
    signature = base64.b64decode(artifact.signature)
    return mender.made_by(signature, artifact.manifest.encode("ascii"), public)


def _named(name: str) -> str:
    named = name.strip()
    if not NAME.fullmatch(named):
        raise Refused("A key is named by letters, digits, spaces and . _ @ -, at most 100 of them.")
    return named
