"""Pages about a device's Docker Engine: what it said when it was asked last, and how it is reached."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from devices.admin_views.links import device_url
from devices.forms import EngineAccessForm
from devices.models import Device, EngineAccess
from devices.services.engine_looks import request_look
from devices.services.engine_settings import delete_engine_access, save_engine_access
from portal.core.errors import Refused
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted

NOT_SAID = "Nobody has said how it is reached."


def engine_page(request: HttpRequest, pk: int) -> HttpResponse:
    """What the engine said, with its age; nothing is asked for this page."""
    require(request, "devices.view_engineaccess")
    rows = Device.objects.select_related("engine_access", "engine_look")
    device = get_object_or_404(rows, pk=pk)
    look = getattr(device, "engine_look", None)
    return page(
        request,
        "devices/engine.html",
        title=f"Engine of {device}",
        model=Device,
        context={
            "device": device,
            "access": access_of(device),
            "look": look,
            "buttons": _buttons(request, device),
        },
    )


def access_of(device: Device) -> EngineAccess | None:
    """How the device's engine is reached, if anybody has said it."""
    return getattr(device, "engine_access", None)


@require_POST
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    """A worker is asking the engine."""
    actor = require(request, "devices.refresh_device")
    device = get_object_or_404(Device, pk=pk)
    try:
        request_look(device=device, actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"The engine of {device} is being asked.")
    return redirect(engine_url(device))


def ask_button(request: HttpRequest, device: Device) -> Button:
    """Has a worker ask the device's engine; cannot be pressed where nobody said how it is reached."""
    why_not = "" if access_of(device) else NOT_SAID
    return Button(
        "Ask now",
        reverse("admin:devices_device_engine_ask", args=[device.pk]),
        why_not=why_not_permitted(request, "devices.refresh_device") or why_not,
        is_main=not why_not,
        posts=True,
    )


def images_button(request: HttpRequest, device: Device) -> Button:
    """Leads to the images that the device's engine has."""
    return Button(
        "Images",
        reverse("admin:updates_imageremoval_of_device", args=[device.pk]),
        why_not=why_not_permitted(request, "devices.view_engineaccess"),
    )


def containers_button(request: HttpRequest, device: Device) -> Button:
    """Leads to the containers that the device's engine has, where they can be watched."""
    return Button(
        "Containers",
        reverse("admin:updates_watchedcontainer_on", args=[device.pk]),
        why_not=why_not_permitted(request, "updates.view_watchedcontainer"),
    )


def engine_url(device: Device) -> str:
    """The page of the device's engine."""
    return reverse("admin:devices_device_engine", args=[device.pk])


class EditEngine(VerbPage):
    """How the engine is reached. The key goes in, and never comes out."""

    form_class = EngineAccessForm
    model = Device
    permission = "devices.change_engineaccess"
    button = "Save"

    def find(self) -> None:
        rows = Device.objects.select_related("engine_access")
        self.device = get_object_or_404(rows, pk=self.kwargs["pk"])
        self.access = access_of(self.device) or EngineAccess(device=self.device)

    def title(self) -> str:
        return f"How the engine of {self.device} is reached"

    def back(self) -> str:
        return engine_url(self.device)

    def says(self) -> list[str]:
        return [
            "Who may command an engine may command its machine. The key is kept encrypted, and never shown again."
        ]

    def get_initial(self) -> dict[str, Any]:
        kept = ("way", "socket_path", "host", "port", "authority", "certificate")
        return {field: getattr(self.access, field) for field in kept}

    def act(self, form: forms.Form) -> str:
        given = dict(form.cleaned_data)
        key = given.pop("new_key")
        given["port"] = given["port"] or self.access.port
        for field, value in given.items():
            setattr(self.access, field, value)
        if key.strip():
            self.access.key = key.replace("\r\n", "\n")
        try:
            save_engine_access(access=self.access, actor=self.actor)
        except ValidationError as error:
            raise Refused(" ".join(error.messages)) from None
        messages.success(self.request, f"How the engine of {self.device} is reached is kept.")
        return engine_url(self.device)


class ForgetEngine(VerbPage):
    """The portal does not reach that engine any more."""

    model = Device
    permission = "devices.delete_engineaccess"
    button = "Forget engine"
    is_danger = True

    def find(self) -> None:
        rows = Device.objects.select_related("engine_access", "engine_look")
        self.device = get_object_or_404(rows, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Forget the engine of {self.device}"

    def back(self) -> str:
        return engine_url(self.device)

    def says(self) -> list[str]:
        return ["How it is reached and what it said last are gone. Nothing changes on the device."]

    def act(self, form: forms.Form) -> str:
        access = access_of(self.device)
        if access is None:
            raise Refused(NOT_SAID)
        delete_engine_access(access=access, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"The engine of {self.device} is forgotten.")
        return device_url(self.device)


def engine_urls(own: Any) -> list[URLPattern]:  # noqa: ANN401 - the admin's wrapper of views
    """The addresses of these pages, below that of devices."""
    return [
        path("<int:pk>/engine/", own(engine_page), name="devices_device_engine"),
        path("<int:pk>/engine/ask/", own(ask), name="devices_device_engine_ask"),
        path("<int:pk>/engine/edit/", own(EditEngine.as_view()), name="devices_device_engine_edit"),
        path(
            "<int:pk>/engine/forget/",
            own(ForgetEngine.as_view()),
            name="devices_device_engine_forget",
        ),
    ]


def _buttons(request: HttpRequest, device: Device) -> list[Button]:
    def url(verb: str) -> str:
        return reverse(f"admin:devices_device_engine_{verb}", args=[device.pk])

    why_not = "" if access_of(device) else NOT_SAID
    return [
        ask_button(request, device),
        images_button(request, device),
        containers_button(request, device),
        Button(
            "Change how it is reached" if access_of(device) else "Say how it is reached",
            url("edit"),
            why_not=why_not_permitted(request, "devices.change_engineaccess"),
            is_main=bool(why_not),
        ),
        Button(
            "Forget",
            url("forget"),
            why_not=why_not_permitted(request, "devices.delete_engineaccess") or why_not,
            is_danger=True,
        ),
    ]
