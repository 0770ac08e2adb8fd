"""The page on which somebody trusts a device's host key."""

from __future__ import annotations

import base64
import binascii
import hashlib

from django import forms
from django.contrib import messages
from django.shortcuts import get_object_or_404

from devices.admin_views.links import device_url
from devices.models import Device
from devices.services import confirm_host_key
from portal.core.pages import VerbPage


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
