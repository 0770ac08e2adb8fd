"""What the page of a device that pulls shows besides: who it says that it is, its keys, what it reports; and its end."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from devices.admin_views.links import device_url
from devices.keys import status_of
from devices.models import AuthSet, Device, DeviceIdentity
from devices.services.enrolment import DECIDE, DECOMMISSION, decommission
from portal.core.pages import Button, VerbPage, why_not_permitted

RECORDS: Final = 10
SHOWN: Final = 200
"""Reported attributes on the page; whoever looks for another one searches."""
STANDS: Final = {
    "accepted": "let in",
    "preauthorized": "let in as soon as it asks",
    "pending": "asks to be let in",
    "rejected": "shut out",
    "noauth": "decommissioned: it has no key here",
}


def pulled_panel(request: HttpRequest, device: Device) -> dict[str, Any]:
    """For the device's template; nothing for a device of another kind."""
    if device.driver != Device.Driver.PULL:
        return {}
    identity = DeviceIdentity.objects.filter(device=device).prefetch_related("auth_sets").first()
    keys = sorted(identity.auth_sets.all(), key=lambda key: str(key.pk)) if identity else []
    status = status_of(identity) if identity else "noauth"
    text = request.GET.get("reported", "").strip()
    found = [
        (name, ", ".join(map(str, value)) if isinstance(value, list) else value)
        for name, value in sorted(device.reported.items())
        if text.lower() in name.lower() or text.lower() in str(value).lower()
    ]
    return {
        "identity": identity,
        "status": status,
        "stands": STANDS[status],
        "keys": [(key, _key_buttons(request, key)) for key in keys],
        "reported": found[:SHOWN],
        "reported_rest": max(0, len(found) - SHOWN),
        "reported_text": text,
        "reported_all": len(device.reported),
        "records": device.installed_records.all()[:RECORDS],
    }


def decommission_button(request: HttpRequest, device: Device) -> Button:
    return Button(
        "Decommission",
        reverse("admin:devices_device_decommission", args=[device.pk]),
        why_not=why_not_permitted(request, DECOMMISSION),
        is_danger=True,
    )


class DecommissionDevice(VerbPage):
    """The device is none of ours any more, until it asks again and is accepted."""

    model = Device
    permission = DECOMMISSION
    button = "Decommission it"
    is_danger = True

    def find(self) -> None:
        self.device = get_object_or_404(Device, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Decommission {self.device}"

    def back(self) -> str:
        return device_url(self.device)

    def says(self) -> list[str]:
        keys = AuthSet.objects.filter(identity__device=self.device).count()
        return [
            f"{'Its key is' if keys == 1 else f'Its {keys} keys are'} forgotten: it is not let in any more, from this moment.",
            "What was ordered for it and has not ended, ends. Nothing is changed on the device itself.",
            "The device and its history stay. If it asks again it waits to be accepted, and is the same device then.",
        ]

    def act(self, form: forms.Form) -> str:
        decommission(device=self.device, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{self.device} is decommissioned.")
        return device_url(self.device)


def _key_buttons(request: HttpRequest, key: AuthSet) -> list[Button]:
    why_not = why_not_permitted(request, DECIDE)
    reject = Button(
        "Reject", reverse("admin:devices_authset_reject", args=[key.pk]), why_not=why_not
    )
    accept = Button(
        "Accept", f"{reverse('admin:devices_authset_accept')}?key={key.pk}", why_not=why_not
    )
    forget = Button(
        "Forget", reverse("admin:devices_authset_dismiss", args=[key.pk]), why_not=why_not
    )
    match AuthSet.Status(key.status):
        case AuthSet.Status.ACCEPTED:
            return [reject]
        case AuthSet.Status.PENDING:
            return [accept, reject]
        case AuthSet.Status.REJECTED:
            return [accept, forget]
        case AuthSet.Status.PREAUTHORIZED:
            return [forget]
