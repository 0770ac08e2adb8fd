"""Taking artifacts and Update Modules in, and letting them go."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models import Max

from portal.core import audit
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import ArtifactDescription
from updates.models import Artifact, UpdateModule
from updates.services.keys import refuse_changed, signer_of
from updates.services.receiving import put_away, verified
from updates.services.releases import drop_artifact, refuse_overlap, release_for

MODULE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MODULE_LIMIT_BYTES: Final = 2**20


def upload_artifact(
    *, file: File[bytes], actor: Actor, notes: str = "", signing_key: str = ""
) -> Artifact:
    """The artifact is verified, stored and on record. ArtifactRefused, and nothing left behind, if it is not a good one.

    `signing_key` is the fingerprint of the portal's own key that was just used on it, if one was.
    """
    with received_artifact(file=file, actor=actor, notes=notes) as artifact:
        return keep_artifact(artifact=artifact, actor=actor, signing_key=signing_key)


@contextmanager
def received_artifact(*, file: File[bytes], actor: Actor, notes: str = "") -> Iterator[Artifact]:
    """The artifact is verified and stored, and waits to be put on record by `keep_artifact` inside the block.

    So that what takes long is done outside the caller's transaction. Nothing is left behind if the block fails.
    `file` is read once, in pieces, to be verified and its digest taken; and to be stored, where it cannot just be moved.
    """
    actor.require("updates.upload_artifact")
    if file.size > settings.UPLOAD_LIMIT_BYTES:
        raise ArtifactRefused(
            "too-big", f"The file has {file.size} bytes; {settings.UPLOAD_LIMIT_BYTES} are allowed."
        )
    description, sha256 = verified(file)
    refuse_changed(description)
    known = Artifact.objects.filter(sha256=sha256).first()
    if known is not None:
        raise ArtifactRefused(
            "uploaded-before", f"This very file is already here, as {known.name}."
        )
    artifact = Artifact(
        sha256=sha256,
        size=file.size,
        notes=notes,
        uploaded_by=actor.user,
        **_fields(description),
    )
    refuse_overlap(artifact)
    name = artifact.file.field.generate_filename(artifact, f"{uuid.uuid4()}.mender")
    with put_away(file, name=name) as artifact.file.name:
        yield artifact


def keep_artifact(*, artifact: Artifact, actor: Actor, signing_key: str = "") -> Artifact:
    """The received artifact is on record, in the release of its name, as signed by one of the keys that are trusted now.

    ArtifactRefused if another upload of the same file, or for the same devices, was faster.
    """
    data = {"sha256": artifact.sha256}
    if signing_key:
        data["signing_key"] = signing_key
    try:
        with transaction.atomic():
            artifact.release = release_for(artifact, actor=actor)
            refuse_overlap(artifact)
            artifact.signed_by = signer_of(artifact)
            artifact.save(force_insert=True)
            audit.record(actor=actor, action="artifact.upload", subject=artifact, data=data)
    except IntegrityError:
        raise ArtifactRefused(
            "uploaded-before", "This very file was uploaded a moment ago."
        ) from None
    return artifact


def delete_artifact(*, artifact: Artifact, actor: Actor, reason: str) -> None:
    """The artifact and its file are gone, and with the last one its release. Refused while the history needs it."""
    actor.require("updates.delete_artifact")
    if artifact.upgrades.exists() or artifact.deployments.exists():
        raise Refused(f"{artifact.name} is part of the history of devices, so it stays.")
    release = artifact.release
    with transaction.atomic():
        audit.record(actor=actor, action="artifact.delete", subject=artifact, reason=reason)
        drop_artifact(artifact)
        if not release.artifacts.exists() and not release.deployments.exists():
            release.delete()


def upload_update_module(
    *, name: str, file: File[bytes], actor: Actor, notes: str = ""
) -> UpdateModule:
    """A new version of the Update Module for payload type `name` is the one that will be brought to devices.

    Refused when it is no script or program, or over 1 MiB. The same content again is the version that holds it.
    """
    actor.require("updates.upload_updatemodule")
    if not MODULE_NAME.fullmatch(name):
        raise Refused("An Update Module is named by letters, digits, dots, dashes and underscores.")
    if file.size > MODULE_LIMIT_BYTES:
        raise Refused(f"An Update Module has at most {MODULE_LIMIT_BYTES // 2**20} MiB.")
    file.seek(0)
    content = file.read()
    if not content.startswith((b"#!", b"\x7fELF")):
        raise Refused("An Update Module is a program: a script begins with #! and its interpreter.")
    sha256 = hashlib.sha256(content).hexdigest()
    with transaction.atomic():
        versions = UpdateModule.objects.select_for_update().filter(name=name)
        newest = versions.first()
        if newest is not None and newest.sha256 == sha256:
            return newest
        last = UpdateModule.objects.filter(name=name).aggregate(last=Max("version"))["last"] or 0
        module = UpdateModule(
            name=name,
            version=last + 1,
            sha256=sha256,
            size=len(content),
            notes=notes,
            uploaded_by=actor.user,
        )
        module.file.save(f"{uuid.uuid4()}", ContentFile(content), save=False)
        module.save(force_insert=True)
        audit.record(
            actor=actor, action="update_module.upload", subject=module, data={"sha256": sha256}
        )
    return module


def newest_update_module(payload_type: str) -> UpdateModule | None:
    """The Update Module that the portal would bring for `payload_type`; None: the device's own is used."""
    return UpdateModule.objects.filter(name=payload_type).order_by("-version").first()


def _fields(description: ArtifactDescription) -> dict[str, object]:
    return {
        "name": description.name,
        "group": description.group or "",
        "payload_type": description.payload_type,
        "device_types": list(description.device_types),
        "depends_names": list(description.depends_names),
        "depends_groups": list(description.depends_groups),
        "depends": {key: list(values) for key, values in description.depends.items()},
        "provides": dict(description.provides),
        "clears_provides": None
        if description.clears_provides is None
        else list(description.clears_provides),
        "header_info": description.header_info,
        "type_info": description.type_info,
        "meta_data": description.meta_data,
        "scripts": list(description.scripts),
        "files": [
            {"name": file.name, "size": file.size, "sha256": file.sha256}
            for file in description.files
        ],
        "warnings": list(description.warnings),
        "is_signed": description.signature is not None,
        "manifest": description.manifest.decode("ascii") if description.signature else "",
        "signature": base64.b64encode(description.signature or b"").decode(),
        "unpacked_size": sum(file.size for file in description.files),
    }
