"""Mender's device API, as far as it is about who a device is and what it reports. No trailing slashes."""

from django.urls import path

from devices import mender_views

urlpatterns = [
    path("v1/authentication/auth_requests", mender_views.auth_requests),
    path("v1/inventory/device/attributes", mender_views.attributes),
]
