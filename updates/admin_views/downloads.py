"""Artifacts as files to be saved."""

from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from portal.core.downloads import download
from portal.core.errors import PortalBusy, StorageUnavailable
from portal.core.pages import page, require
from portal.core.transfers import RETRY_SECONDS
from updates.models import Artifact
from updates.services.fetching import file_of


@require_safe
def download_artifact(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The artifact as it was uploaded, byte for byte. A browser that was interrupted goes on where it was."""
    require(request, "updates.view_artifact")
    artifact = get_object_or_404(Artifact, pk=pk)
    try:
        return download(request, file_of(artifact))
    except (StorageUnavailable, PortalBusy) as error:
        says = {"says": [str(error)]}
        answer = page(
            request, "portal/message.html", title=artifact.name, model=Artifact, context=says
        )
        answer.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        answer["Retry-After"] = str(RETRY_SECONDS)
        return answer
