"""The page of one device: what it is and has, whether it answers, who trusts it; its life comes from the floor above."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from devices.admin_views.engines import images_button
from devices.admin_views.host_key import fingerprint
from devices.admin_views.links import device_url, why_not_local
from devices.admin_views.pulled import decommission_button, pulled_panel
from devices.errors import DeviceError
from devices.models import Device
from devices.queries import groups_of
from devices.services import delete_device, refresh_device, why_no_way_in
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted


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
            "offered": fingerprint(device.offered_host_key),
            "groups": groups_of(device),
            "place": request.GET.urlencode(),
            "may_see_upgrades": not why_not_permitted(request, "updates.view_upgrade"),
            "buttons": _buttons(request, device),
            **pulled_panel(request, device),
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


class DeleteDevice(VerbPage):
    """A device that was entered by mistake. One that the history tells of stays."""

    model = Device
    permission = "devices.delete_device"
    button = "Delete device"
    is_danger = True

    def find(self) -> None:
        self.device = get_object_or_404(Device, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Delete {self.device}"

    def back(self) -> str:
        return device_url(self.device)

    def says(self) -> list[str]:
        return [
            f"{self.device} leaves its groups, and its checks are gone. Nothing changes on the device itself.",
            "A device with a history stays: what happened to it must be found years later.",
        ]

    def act(self, form: forms.Form) -> str:
        name = str(self.device)
        delete_device(device=self.device, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{name} is deleted.")
        return reverse("admin:devices_device_changelist")


def _buttons(request: HttpRequest, device: Device) -> list[Button]:
    why_not_edited, no_way_in = why_not_local(request, device), why_no_way_in(device)
    return [
        *([_host_key_button(request, device)] if device.offered_host_key else []),
        Button(
            "Apply an artifact",
            reverse("admin:updates_upgrade_apply", args=[device.pk]),
            why_not=why_not_permitted(request, "updates.apply_artifact"),
            is_main=True,
        ),
        *_connecting_buttons(request, device, no_way_in),
        Button(
            "Edit",
            reverse("admin:devices_device_edit", args=[device.pk]),
            why_not=why_not_permitted(request, "devices.change_device") or why_not_edited,
        ),
        Button(
            "Delete",
            reverse("admin:devices_device_delete", args=[device.pk]),
            why_not=why_not_permitted(request, "devices.delete_device") or why_not_edited,
            is_danger=True,
        ),
    ]


def _connecting_buttons(request: HttpRequest, device: Device, no_way_in: str) -> list[Button]:
    """What has to connect to the device; for one that pulls, instead of the last of them, what ends that."""
    return [
        Button(
            "Install a module",
            reverse("admin:updates_installation_install", args=[device.pk]),
            why_not=no_way_in or why_not_permitted(request, "updates.order_module"),
        ),
        Button(
            "Refresh",
            reverse("admin:devices_device_refresh", args=[device.pk]),
            why_not=no_way_in or why_not_permitted(request, "devices.refresh_device"),
            posts=True,
        ),
        Button(
            "Engine",
            reverse("admin:devices_device_engine", args=[device.pk]),
            why_not=no_way_in or why_not_permitted(request, "devices.view_engineaccess"),
        ),
        *(
            [decommission_button(request, device)]
            if no_way_in
            else [images_button(request, device)]
        ),
    ]


def _host_key_button(request: HttpRequest, device: Device) -> Button:
    return Button(
        "Look at its host key",
        reverse("admin:devices_device_host_key", args=[device.pk]),
        why_not=why_not_permitted(request, "devices.confirm_host_key"),
        is_main=True,
    )
