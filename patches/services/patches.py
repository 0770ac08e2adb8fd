"""Taking hot patches in, and letting their archives go."""

from __future__ import annotations

import hashlib
import io
import uuid
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, cast

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from patches.errors import PatchRefused
from patches.formats.beam_file import NotBeam, read_beam
from patches.formats.patch_archive import PackedFile, PatchLimits, read_patch
from patches.models import Application, Patch
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Conflict, Refused
from portal.core.stored import open_stored
from updates import dispatch
from updates.models import Module
from updates.services.reasons import given_reason
from updates.services.receiving import put_away

CODE: Final = {Module.Runtime.BEAM: ".beam", Module.Runtime.PYTHON: ".py"}
LOOK_JOB: Final = "patches.jobs.look_at_patch"


def upload_patch(
    *,
    file: File[bytes],
    module: Module,
    version: str,
    actor: Actor,
    name: str = "",
    notes: str = "",
) -> Patch:
    """The patch is stored, bound to `version` of `module`, and nodes are being asked what they know of it.

    PatchRefused, and nothing left behind, if the archive is odd, holds no code, or is here already.
    """
    actor.require("patches.upload_patch")
    _refuse_without_target(module, version)
    files = read_patch(cast(BinaryIO, file), limits=patch_limits())
    file.seek(0)
    sha256 = hashlib.sha256(file.read()).hexdigest()
    composition = [_described(one, module) for one in files]
    _refuse_without_code(composition, module)
    patch = Patch(
        name=name.strip() or PurePosixPath(file.name or "patch").stem[:200],
        module=module, version=version.strip(), sha256=sha256, size=file.size,
        composition=composition, notes=notes,
        uploaded_by=actor.user, uploaded_by_name=actor.name, uploaded_at=clock.now(),
    )  # fmt: skip
    stored = patch.file.field.generate_filename(patch, f"{uuid.uuid4()}.zip")
    try:
        with put_away(file, name=stored) as patch.file.name, transaction.atomic():
            patch.save(force_insert=True)
            audit.record(actor=actor, action="patch.upload", subject=patch, data={"sha256": sha256})
            start_look(patch)
    except IntegrityError:
        raise PatchRefused(
            "uploaded-before",
            "This very archive is here already, for the same version: delete it there before it is uploaded anew.",
        ) from None
    return patch


def _refuse_without_target(module: Module, version: str) -> None:
    if not version.strip():
        raise Refused("A patch is for one version of its module: say which.")
    if not module.runtime:
        raise Refused(f"{module} takes no hot patches: its runtime is not known.")


def start_look(patch: Patch) -> None:
    """Once the transaction is committed, nodes are asked what they know of the patch's modules."""
    dispatch.start_job(LOOK_JOB, argument=str(patch.pk), job=look_job(patch))


def look_job(patch: Patch) -> str:
    """The id of the job that asks."""
    return f"patch-look-{patch.pk}"


def patch_limits() -> PatchLimits:
    """What an archive may ask of this portal."""
    return PatchLimits(packed=settings.PATCH_LIMIT_BYTES)


def files_of(patch: Patch) -> list[PackedFile]:
    """The archive's files, from the storage. Refused when the archive was deleted, or is not what was uploaded."""
    if patch.deleted_at is not None:
        raise Refused(f"The archive of {patch} was deleted by {patch.deleted_by_name}.")
    return read_stored(str(patch.file.name), sha256=patch.sha256)


def read_stored(name: str, *, sha256: str) -> list[PackedFile]:
    """The files of the stored archive. Refused when it is not what was uploaded."""
    with open_stored(name) as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Refused("The stored archive is not the one that was uploaded, or it is damaged.")
    return read_patch(io.BytesIO(data), limits=patch_limits())


def delete_patch(*, patch: Patch, actor: Actor, reason: str) -> Patch:
    """The archive is gone, so that nobody applies it by accident. Its history, results and what reverts it stay."""
    actor.require("patches.delete_patch")
    reason = given_reason(reason)
    with transaction.atomic():
        patch = Patch.objects.select_for_update().get(pk=patch.pk)
        if patch.deleted_at is not None:
            raise Refused(f"{patch.deleted_by_name} has deleted it already.")
        if patch.applications.filter(standing=Application.Standing.ORDERED).exists():
            raise Conflict("It is being applied just now: wait until that is over.")
        stored = str(patch.file.name)
        patch.deleted_at, patch.deleted_by_name, patch.file = clock.now(), actor.name, ""
        patch.save(update_fields=["deleted_at", "deleted_by_name", "file"])
        audit.record(actor=actor, action="patch.delete", subject=patch, reason=reason)
        transaction.on_commit(lambda: default_storage.delete(stored))
    return patch


def _refuse_without_code(composition: list[dict[str, Any]], module: Module) -> None:
    if not any(row["is_code"] for row in composition):
        raise PatchRefused(
            "no-module",
            f"The archive holds no {CODE[Module.Runtime(module.runtime)]} file: nothing could be loaded.",
        )


def _described(file: PackedFile, module: Module) -> dict[str, Any]:
    path = PurePosixPath(file.path)
    is_code = path.suffix == CODE[Module.Runtime(module.runtime)]
    sha256 = hashlib.sha256(file.data).hexdigest()
    row = {
        "path": file.path, "size": len(file.data), "sha256": sha256, "is_code": is_code,
        "name": path.stem if is_code else "", "version": sha256 if is_code else "", "says": "",
    }  # fmt: skip
    if is_code and module.runtime == Module.Runtime.BEAM:
        try:
            beam = read_beam(file.data)
        except NotBeam as error:
            return row | {"version": "", "says": str(error)}
        return row | {"name": beam.name, "version": beam.version}
    return row
