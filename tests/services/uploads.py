"""Artifacts as they come in, for tests of the verbs."""

from __future__ import annotations

import io
from collections.abc import Sequence

from django.core.files.base import ContentFile

from portal.core.actors import PORTAL
from tests.formats.build import artifact, header_info
from updates.formats.mender_artifact import SigningKey, sign_artifact
from updates.models import Artifact
from updates.services.artifacts import upload_artifact


def uploaded(
    name: str = "new",
    *,
    device_types: Sequence[str] = ("box",),
    groups: Sequence[str] = (),
    key: SigningKey | None = None,
) -> Artifact:
    """An artifact that was uploaded, signed by `key`."""
    content = written(name, device_types=device_types, groups=groups, key=key)
    return upload_artifact(file=ContentFile(content), actor=PORTAL)


def written(
    name: str = "new",
    *,
    device_types: Sequence[str] = ("box",),
    groups: Sequence[str] = (),
    key: SigningKey | None = None,
) -> bytes:
    depends = {"device_type": list(device_types)}
    if groups:
        depends["artifact_group"] = list(groups)
    info = header_info(artifact_provides={"artifact_name": name}, artifact_depends=depends)
    content = artifact(info=info)
    if key is None:
        return content
    out = io.BytesIO()
    sign_artifact(io.BytesIO(content), key, out)
    return out.getvalue()
