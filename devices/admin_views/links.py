"""Addresses of the pages here, and why somebody may not use them."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from devices.models import Device
from devices.services import USE_LOCAL_DRIVER
from portal.core.pages import why_not_permitted


def device_url(device: Device) -> str:
    """The device's own page."""
    return reverse("admin:devices_device_change", args=[device.pk])


def why_not_local(request: HttpRequest, device: Device) -> str:
    """Empty unless the device is the portal's own host and the user may not touch such a one: then the sentence."""
    if device.driver != Device.Driver.LOCAL:
        return ""
    return why_not_permitted(request, USE_LOCAL_DRIVER)
