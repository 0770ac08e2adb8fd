"""Keys: whose signature counts, where nothing else is taken, and what the portal signs with."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from devices.models import Device, DeviceGroup
from devices.services import change_members, delete_group, save_group
from portal.core.actors import PORTAL, Actor
from portal.core.errors import NotPermitted, Refused
from portal.core.models import AuditEvent
from tests.journal.rows import new_device
from tests.services.people import PERMISSIONS, somebody
from tests.services.uploads import uploaded, written
from updates.errors import ArtifactRefused, KeyRefused, NotCompatible
from updates.formats.mender_artifact import ArtifactSpec, read_artifact
from updates.formats.mender_artifact import SigningKey as Signer
from updates.jobs import run_artifact
from updates.models import Artifact, Check, SigningKey, TrustedKey, Upgrade
from updates.services.artifacts import keep_artifact, received_artifact, upload_update_module
from updates.services.building import build_artifact
from updates.services.checks import carry_out_check, request_checks
from updates.services.deployments import deploy_artifact, preview_deployment
from updates.services.keys import (
    Generated,
    delete_signing_key,
    distrust_key,
    generate_signing_key,
    import_signing_key,
    open_signing_key,
    trust_key,
)
from updates.services.upgrades import apply_artifact

pytestmark = pytest.mark.database


def held(name: str = "house", kind: Generated = Generated.ECDSA) -> tuple[SigningKey, Signer]:
    """A key of the portal's own, and the same to sign with."""
    key = generate_signing_key(name=name, kind=kind, actor=PORTAL)
    return key, open_signing_key(key=key, actor=PORTAL)


def guarded(*devices: Device) -> DeviceGroup:
    group = DeviceGroup.objects.create(name="Vault", signed_only=True)
    group.members.add(*devices)
    return group


@pytest.fixture
def box(tmp_path: Path) -> Device:
    """A device on this machine, and an Update Module for the artifacts of these tests."""
    module = b"#!/bin/sh\nexit 0\n"
    upload_update_module(name="single-file", file=ContentFile(module), actor=PORTAL)
    return new_device("box", root=str(tmp_path))


@pytest.mark.parametrize("kind", list(Generated))
def test_an_artifact_says_which_trusted_key_signed_it(kind: Generated) -> None:
    key, signer = held(kind=kind)
    artifact = uploaded(key=signer)

    assert artifact.is_signed
    assert artifact.signed_by is not None
    assert artifact.signed_by.fingerprint == key.fingerprint


def test_a_key_that_is_trusted_later_explains_what_was_here_before() -> None:
    key, signer = held()
    TrustedKey.objects.all().delete()
    signed, unsigned = uploaded("signed", key=signer), uploaded("unsigned")
    assert (signed.is_signed, signed.signed_by) == (True, None)

    trusted = trust_key(name="Build server", pem=key.public_pem, actor=PORTAL)
    signed.refresh_from_db()
    unsigned.refresh_from_db()
    assert (signed.signed_by, unsigned.signed_by) == (trusted, None)
    entry = AuditEvent.objects.filter(action="trusted_key.add").order_by("-at")[0]
    assert entry.data == {"fingerprint": key.fingerprint, "artifacts": 1}


def test_what_a_trusted_key_signed_and_somebody_changed_is_not_taken_in() -> None:
    _, signer = held(kind=Generated.RSA)
    signature = read_artifact(io.BytesIO(written("one", key=signer))).signature or b""

    class Replayed(Signer):
        def __init__(self) -> None:
            self.public_key = signer.public_key

        def sign(self, _manifest: bytes) -> bytes:
            return signature

    with pytest.raises(ArtifactRefused, match="changed afterwards") as refusal:
        uploaded("other", key=Replayed())
    assert refusal.value.rule == "bad-signature"
    assert not Artifact.objects.exists()


def test_which_keys_are_trusted_is_asked_when_the_artifact_goes_on_record() -> None:
    key, signer = held()
    file = ContentFile(written(key=signer))
    with received_artifact(file=file, actor=PORTAL) as artifact:
        distrust_key(key=TrustedKey.objects.get(), actor=PORTAL, reason="It leaked")
        keep_artifact(artifact=artifact, actor=PORTAL)
    artifact.refresh_from_db()
    assert (artifact.is_signed, artifact.signed_by) == (True, None)

    file = ContentFile(written("other", key=signer))
    with received_artifact(file=file, actor=PORTAL) as artifact:
        trusted = trust_key(name="Again", pem=key.public_pem, actor=PORTAL)
        keep_artifact(artifact=artifact, actor=PORTAL)
    artifact.refresh_from_db()
    assert artifact.signed_by == trusted


def test_the_record_of_what_is_built_here_says_which_key_signed_it() -> None:
    key, signer = held()
    spec = ArtifactSpec(name="built", device_types=("box",), payload_type=None, provides={"a": "b"})
    build_artifact(spec=spec, actor=PORTAL, key=signer)
    entry = AuditEvent.objects.get(action="artifact.upload")
    assert entry.data["signing_key"] == key.fingerprint

    build_artifact(spec=replace(spec, name="plain"), actor=PORTAL)
    entry = AuditEvent.objects.filter(action="artifact.upload").order_by("-at")[0]
    assert "signing_key" not in entry.data


def test_a_key_that_is_trusted_no_more_signs_nothing() -> None:
    _, signer = held()
    artifact = uploaded(key=signer)
    distrust_key(key=TrustedKey.objects.get(), actor=PORTAL, reason="It leaked")

    artifact.refresh_from_db()
    assert artifact.signed_by is None
    entry = AuditEvent.objects.get(action="trusted_key.remove")
    assert (entry.reason, entry.data["artifacts"]) == ("It leaked", 1)


def test_a_group_that_takes_signed_ones_only_is_left_out_of_others() -> None:
    _, signer = held()
    inside, outside = new_device("a-inside"), new_device("b-outside")
    guarded(inside)
    unsigned, signed = uploaded("unsigned"), uploaded("signed", key=signer)
    everybody = Device.objects.order_by("name")

    preview = preview_deployment(artifact=unsigned, devices=everybody)
    assert preview.takes == [outside]
    why = "The group Vault takes signed artifacts only, and this one is not signed."
    assert preview.left_out == [(inside, why)]
    assert preview_deployment(artifact=signed, devices=everybody).takes == [inside, outside]
    deployment = deploy_artifact(
        artifact=unsigned, devices=everybody, actor=PORTAL, reason="everybody"
    )
    assert deployment.left_out == [["a-inside", why]]
    with pytest.raises(NotCompatible, match="is not signed"):
        apply_artifact(device=inside, artifact=unsigned, actor=PORTAL, reason="try", force=True)


def test_a_key_that_nobody_trusts_does_not_open_the_group() -> None:
    _, signer = held()
    TrustedKey.objects.all().delete()
    device = new_device()
    guarded(device)

    with pytest.raises(NotCompatible, match="signed by a key that nobody here trusts"):
        apply_artifact(device=device, artifact=uploaded(key=signer), actor=PORTAL, reason="try")


def test_a_dynamic_group_guards_whoever_its_filter_finds() -> None:
    DeviceGroup.objects.create(
        name="Crates", kind="dynamic", filter={"device_type": "crate"}, signed_only=True
    )
    crate = new_device(device_type="crate")
    with pytest.raises(NotCompatible, match="The group Crates takes signed artifacts only"):
        apply_artifact(
            device=crate, artifact=uploaded(device_types=["crate"]), actor=PORTAL, reason="try"
        )


def test_a_signed_artifact_is_installed_in_the_group(box: Device) -> None:
    _, signer = held()
    guarded(box)
    upgrade = apply_artifact(device=box, artifact=uploaded(key=signer), actor=PORTAL, reason="try")
    run_artifact(str(upgrade.pk))
    upgrade.refresh_from_db()
    assert (upgrade.outcome, upgrade.error) == ("succeeded", "")


def test_the_signature_is_verified_again_when_the_upgrade_begins(box: Device) -> None:
    _, signer = held()
    guarded(box)
    artifact = uploaded(key=signer)
    upgrade = apply_artifact(device=box, artifact=artifact, actor=PORTAL, reason="try")
    distrust_key(key=TrustedKey.objects.get(), actor=PORTAL, reason="It leaked")
    run_artifact(str(upgrade.pk))

    upgrade.refresh_from_db()
    assert (upgrade.outcome, upgrade.error_state) == ("failed", "checking")
    assert "The group Vault takes signed artifacts only." in upgrade.error


def test_what_counts_are_the_stored_bytes_and_not_what_the_record_says(box: Device) -> None:
    _, signer = held()
    guarded(box)
    artifact = uploaded(key=signer)
    upgrade = apply_artifact(device=box, artifact=artifact, actor=PORTAL, reason="try")
    Path(default_storage.path(str(artifact.file))).write_bytes(written())
    run_artifact(str(upgrade.pk))

    upgrade.refresh_from_db()
    assert (upgrade.outcome, upgrade.error_state) == ("failed", "checking")
    assert "is not signed" in upgrade.error


def test_a_check_says_that_the_group_takes_signed_ones_only(box: Device) -> None:
    guarded(box)
    (check,) = request_checks(artifact=uploaded(), devices=[box], actor=PORTAL)
    carry_out_check(check)

    assert check.verdict == Check.Verdict.REFUSED
    finding = next(row for row in check.findings if row["what"] == "signature")
    assert not finding["ok"]
    assert "Vault" in finding["says"]


def test_a_private_key_is_encrypted_at_rest_and_its_public_half_is_trusted() -> None:
    key, signer = held()
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_pem FROM updates_signingkey")
        (stored,) = cursor.fetchone()
    assert "PRIVATE KEY" not in stored
    assert TrustedKey.objects.get().fingerprint == key.fingerprint == signer.public_key.fingerprint
    assert "PRIVATE" not in str(list(AuditEvent.objects.values_list("data", flat=True)))


@pytest.mark.parametrize("password", ["", "s3cret"])
def test_a_key_of_somebody_is_imported_with_its_password(password: str) -> None:
    made = ec.generate_private_key(ec.SECP256R1())
    how = BestAvailableEncryption(b"s3cret")
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()
    if not password:
        with pytest.raises(KeyRefused, match="password"):
            import_signing_key(name="ci", pem=pem, actor=PORTAL)
        assert not SigningKey.objects.exists()
        return
    key = import_signing_key(name="ci", pem=pem, actor=PORTAL, password=password)
    signer = open_signing_key(key=key, actor=PORTAL)
    assert uploaded(key=signer).signed_by == TrustedKey.objects.get()


@pytest.mark.parametrize(
    ("pem", "rule"), [("nothing", "key-unreadable"), ("x" * 20000, "key-too-large")]
)
def test_what_is_no_key_is_refused(pem: str, rule: str) -> None:
    with pytest.raises(KeyRefused) as public:
        trust_key(name="bad", pem=pem, actor=PORTAL)
    with pytest.raises(KeyRefused) as private:
        import_signing_key(name="bad", pem=pem, actor=PORTAL)
    assert (public.value.rule, private.value.rule) == (rule, rule)


def test_the_same_key_and_the_same_name_are_refused() -> None:
    key, _ = held()
    with pytest.raises(Refused, match="trusted already, as house"):
        trust_key(name="other", pem=key.public_pem, actor=PORTAL)
    with pytest.raises(Refused, match="signing key named house already"):
        generate_signing_key(name="house", kind=Generated.ECDSA, actor=PORTAL)
    with pytest.raises(Refused, match="A key is named by"):
        generate_signing_key(name="<b>", kind=Generated.ECDSA, actor=PORTAL)
    assert SigningKey.objects.count() == TrustedKey.objects.count() == 1


def test_a_signing_key_is_deleted_for_good_and_what_it_signed_stays_signed() -> None:
    key, signer = held()
    artifact = uploaded(key=signer)
    delete_signing_key(key=key, actor=PORTAL, reason="Moved to the vault")

    artifact.refresh_from_db()
    assert artifact.signed_by is not None
    assert not SigningKey.objects.exists()
    assert AuditEvent.objects.get(action="signing_key.remove").reason == "Moved to the vault"


def test_each_verb_asks_for_its_permission() -> None:
    key, _ = held()
    trusted, anna = TrustedKey.objects.get(), somebody("anna", *PERMISSIONS)
    with pytest.raises(NotPermitted, match="add_trustedkey"):
        trust_key(name="x", pem=key.public_pem, actor=anna)
    with pytest.raises(NotPermitted, match="delete_trustedkey"):
        distrust_key(key=trusted, actor=anna, reason="so")
    with pytest.raises(NotPermitted, match="add_signingkey"):
        generate_signing_key(name="x", kind=Generated.ECDSA, actor=anna)
    with pytest.raises(NotPermitted, match="add_signingkey"):
        import_signing_key(name="x", pem="x", actor=anna)
    with pytest.raises(NotPermitted, match="delete_signingkey"):
        delete_signing_key(key=key, actor=anna, reason="so")
    with pytest.raises(NotPermitted, match="use_signingkey"):
        open_signing_key(key=key, actor=anna)


def test_who_may_not_guard_groups_gets_nobody_out_of_one(editor: Actor) -> None:
    group = guarded(new_device())
    with pytest.raises(NotPermitted, match="guard_devicegroup"):
        change_members(group=group, add=[], remove=[], actor=editor)
    with pytest.raises(NotPermitted, match="guard_devicegroup"):
        delete_group(group=group, actor=editor)
    group.signed_only = False
    with pytest.raises(NotPermitted, match="guard_devicegroup"):
        save_group(group=group, actor=editor)
    assert DeviceGroup.objects.get().signed_only
    assert not Upgrade.objects.exists()


@pytest.fixture
def editor(db: None) -> Actor:
    """He may change groups, and not those that take signed artifacts only."""
    return somebody("emil", "change_devicegroup", "delete_devicegroup", app="devices")
