"""Mender's device API, as far as it is about deployments. No trailing slashes."""

from django.urls import path

from updates import mender_api

DEPLOYMENTS = "deployments/device/deployments"

urlpatterns = [
    path(f"v2/{DEPLOYMENTS}/next", mender_api.next_v2),
    path(f"v1/{DEPLOYMENTS}/next", mender_api.next_v1),
    path(f"v1/{DEPLOYMENTS}/<uuid:pk>/status", mender_api.status),
    path(f"v1/{DEPLOYMENTS}/<uuid:pk>/log", mender_api.log),
    path(f"v2/{DEPLOYMENTS}/<uuid:pk>/update_control_map", mender_api.update_control_map),
    path("v1/download/<str:word>", mender_api.artifact, name="mender_download"),
]
