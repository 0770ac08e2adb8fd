"""Addresses under /api/management/, as Mender's server has them. No trailing slashes."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from portal.mender_management import artifacts, devices
from portal.mender_management.errors import said
from portal.mender_management.login import log_in


@csrf_exempt
def nowhere(_request: HttpRequest) -> HttpResponse:
    """What Mender's server has and the portal has not; never a page, and never a way to one."""
    return said("The portal has no such address.", status=HTTPStatus.NOT_FOUND)


ARTIFACTS = "v1/deployments/artifacts"
ASKING = "v2/devauth/devices"

urlpatterns = [
    path("v1/useradm/auth/login", log_in),
    path(ARTIFACTS, artifacts.Artifacts.as_view()),
    path(f"{ARTIFACTS}/<uuid:pk>", artifacts.OneArtifact.as_view(), name="mender_artifact"),
    path(f"{ARTIFACTS}/<uuid:pk>/download", artifacts.ArtifactLink.as_view()),
    path(ASKING, devices.DevicesThatAsk.as_view()),
    path(f"{ASKING}/count", devices.NumberThatAsk.as_view()),
    path("v1/inventory/devices", devices.Inventory.as_view()),
    re_path("", nowhere),
]
