"""Artifacts: upload, list, show, delete."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

from portal.mender_management.address import Address
from portal.mender_management.errors import NotRead, NotThere
from portal.mender_management.pages import LONGEST_PAGE, page_of
from portal.mender_management.uploads import upload_in
from updates.models import Artifact
from updates.services.artifacts import delete_artifact, upload_artifact
from updates.services.pulled.link import link_to

REASON: Final = "Deleted through Mender's management API."
LONGEST_NOTES: Final = 2000


class Artifacts(Address):
    permission = "updates.view_artifact"

    def get(self, request: HttpRequest) -> HttpResponse:
        """All of them, the newest first; of `name`, if it is given. Mender's server has no pages here, so they are long ones."""
        rows = Artifact.objects.order_by("-uploaded_at", "-pk")
        if name := request.GET.get("name", ""):
            rows = rows.filter(name=name.replace("\0", ""))
        return page_of(rows, described, request=request, per_page=LONGEST_PAGE)

    def post(self, request: HttpRequest) -> HttpResponse:
        """The artifact is verified, stored and on record, as one that was uploaded on the portal's page."""
        self.actor.require("updates.upload_artifact")
        upload = upload_in(request)
        with upload.file:
            if len(upload.description) > LONGEST_NOTES or "\0" in upload.description:
                raise NotRead(f"A description is text of at most {LONGEST_NOTES:,} characters.")
            artifact = upload_artifact(file=upload.file, actor=self.actor, notes=upload.description)
        answer = HttpResponse(status=HTTPStatus.CREATED)
        answer["Location"] = reverse("mender_artifact", args=[artifact.pk])
        return answer


class OneArtifact(Address):
    permission = "updates.view_artifact"

    def get(self, _request: HttpRequest, pk: UUID) -> HttpResponse:
        return JsonResponse(described(_artifact(pk)))

    def delete(self, _request: HttpRequest, pk: UUID) -> HttpResponse:
        """The artifact is gone. Refused while the history needs it."""
        delete_artifact(artifact=_artifact(pk), actor=self.actor, reason=REASON)
        return HttpResponse(status=HTTPStatus.NO_CONTENT)


class ArtifactLink(Address):
    permission = "updates.view_artifact"

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Where the file is fetched without a token, and until when."""
        link = link_to(_artifact(pk))
        path = reverse("mender_download", args=[link.word])
        uri = link.straight or request.build_absolute_uri(path)
        return JsonResponse({"uri": uri, "expire": link.until.isoformat()})


def described(artifact: Artifact) -> dict[str, Any]:
    """As Mender's server says it, but for `meta_data`: mender-cli wants an array there."""
    when = artifact.uploaded_at.isoformat()
    files = [
        {"name": file["name"], "checksum": file["sha256"], "size": file["size"], "date": when}
        for file in artifact.files
    ]
    meta_data = [json.loads(artifact.meta_data)] if artifact.meta_data else []
    group = {"artifact_group": artifact.group} if artifact.group else {}
    return {
        "id": str(artifact.pk),
        "name": artifact.name,
        "description": artifact.notes,
        "device_types_compatible": artifact.device_types,
        "info": {"format": "mender", "version": 3},
        "signed": artifact.is_signed,
        "updates": [
            {"type_info": {"type": artifact.payload_type}, "files": files, "meta_data": meta_data}
        ],
        "artifact_provides": {"artifact_name": artifact.name, **group, **artifact.provides},
        "artifact_depends": _depends(artifact),
        "clears_artifact_provides": artifact.clears_provides or [],
        "size": artifact.size,
        "modified": when,
    }


def _depends(artifact: Artifact) -> dict[str, list[str]]:
    depends = {**artifact.depends, "device_type": artifact.device_types}
    if artifact.depends_names:
        depends["artifact_name"] = artifact.depends_names
    if artifact.depends_groups:
        depends["artifact_group"] = artifact.depends_groups
    return depends


def _artifact(pk: UUID) -> Artifact:
    found = Artifact.objects.filter(pk=pk).first()
    if found is None:
        raise NotThere("There is no such artifact.")
    return found
