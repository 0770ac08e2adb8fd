"""Pages of one device: what it is and has, asking it again, trusting its host key."""

from __future__ import annotations

import base64
import binascii
import hashlib

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from devices.errors import DeviceError
from devices.models import Device, DeviceGroup
from devices.queries import devices_in
from devices.services import USE_LOCAL_DRIVER, confirm_host_key, refresh_device
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted


class HostKeyForm(forms.Form):
    key = forms.CharField(widget=forms.HiddenInput())


class ConfirmHostKey(VerbPage):
    """Shows the fingerprint of the very key that the button will pin; a key that changed meanwhile is refused."""

    template_name = "devices/host_key.html"
    form_class = HostKeyForm
    model = Device
    permission = "devices.confirm_host_key"
    button = "Confirm host key"

    def find(self) -> None:
        self.device = get_object_or_404(Device, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Host key of {self.device}"

    def back(self) -> str:
        return device_url(self.device)

    def get_initial(self) -> dict[str, str]:
        return {"key": self.device.offered_host_key}

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        return super().get_context_data(**kwargs) | {
            "device": self.device,
            "offered": fingerprint(self.device.offered_host_key),
            "confirmed": fingerprint(self.device.host_key),
        }

    def act(self, form: forms.Form) -> str:
        confirm_host_key(device=self.device, key=form.cleaned_data["key"], actor=self.actor)
        messages.success(self.request, f"The host key of {self.device} is confirmed.")
        return device_url(self.device)


def device_page(request: HttpRequest, device: Device) -> HttpResponse:
    """What the device is, how it is reached, what is installed."""
    require(request, "devices.view_device")
    return page(
        request,
        "devices/device.html",
        title=device.name,
        model=Device,
        context={
            "device": device,
            "fingerprint": fingerprint(device.host_key),
            "groups": [
                group
                for group in DeviceGroup.objects.all()
                if devices_in(group).filter(pk=device.pk).exists()
            ],
            "may_see_upgrades": not why_not_permitted(request, "updates.view_upgrade"),
            "buttons": _buttons(request, device),
        },
    )


@require_POST
def refresh(request: HttpRequest, pk: int) -> HttpResponse:
    """The device was asked who it is, or the reason why it could not be is shown."""
    actor = require(request, "devices.refresh_device")
    device = get_object_or_404(Device, pk=pk)
    try:
        device = refresh_device(device=device, actor=actor)
    except DeviceError as error:
        messages.error(request, str(error))
        return redirect(device_url(device))
    if device.unreachable_reason:
        messages.error(request, device.unreachable_reason)
    else:
        messages.success(request, f"{device} answered.")
    return redirect(device_url(device))


def device_url(device: Device) -> str:
    """The device's own page."""
    return reverse("admin:devices_device_change", args=[device.pk])


def why_not_local(request: HttpRequest, device: Device) -> str:
    """Empty unless the device is the portal's own host and the user may not touch such a one: then the sentence."""
    if device.driver != Device.Driver.LOCAL:
        return ""
    return why_not_permitted(request, USE_LOCAL_DRIVER)


def fingerprint(key: str) -> str:
    """The key's SHA-256 as `ssh-keygen -l` shows it; empty when there is no key."""
    words = key.split()
    if len(words) < 2:
        return ""
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return "not a key"
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"{words[0]} SHA256:{digest}"


def _buttons(request: HttpRequest, device: Device) -> list[Button]:
    shown = [
        Button(
            "Apply an artifact",
            reverse("admin:updates_upgrade_apply", args=[device.pk]),
            why_not=why_not_permitted(request, "updates.apply_artifact"),
            is_main=True,
        ),
        Button(
            "Refresh",
            reverse("admin:devices_device_refresh", args=[device.pk]),
            why_not=why_not_permitted(request, "devices.refresh_device"),
            posts=True,
        ),
        Button(
            "Edit",
            reverse("admin:devices_device_edit", args=[device.pk]),
            why_not=why_not_permitted(request, "devices.change_device")
            or why_not_local(request, device),
        ),
    ]
    if device.offered_host_key:
        shown.insert(
            0,
            Button(
                "Look at its host key",
                reverse("admin:devices_device_host_key", args=[device.pk]),
                why_not=why_not_permitted(request, "devices.confirm_host_key"),
                is_main=True,
            ),
        )
    return shown
