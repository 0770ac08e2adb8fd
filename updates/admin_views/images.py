"""Pages about the images that a device's engine has: who uses them, and which of them are to go, there or everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from devices.admin_views.engines import ask_button, engine_url
from devices.drivers.references import checked_image
from devices.errors import BadReference
from devices.models import Device, EngineLook
from devices.queries import devices_open_to
from devices.services.bulk import MEANT_ABOVE, require_meant
from portal.core.bounded import BoundedPaginator
from portal.core.errors import Refused
from portal.core.forms import ReasonForm
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted
from updates.models import ImageRemoval
from updates.services.local_images import (
    MOST,
    REMOVE,
    LocalImage,
    Reach,
    local_images,
    reach_of,
    request_removal,
)

HERE: Final = "here"
EVERYWHERE: Final = "everywhere"
NOTHING: Final = Reach([], 0)


@dataclass(frozen=True, slots=True)
class Row:
    """An image of the list; with `why_not` it cannot be chosen."""

    image: LocalImage
    why_not: str

    @property
    def short_id(self) -> str:
        return self.image.id.removeprefix("sha256:")[:12]

    @property
    def made(self) -> str:
        return self.image.created[:10]


@require_GET
def images_page(request: HttpRequest, device: int) -> HttpResponse:
    """What the engine had when it was asked last, with its age, and who uses it. No engine is asked for this page."""
    require(request, "devices.view_engineaccess")
    rows = Device.objects.select_related("engine_access", "engine_look")
    found = get_object_or_404(rows, pk=device)
    look: EngineLook | None = getattr(found, "engine_look", None)
    images = local_images(look) if look and look.answered_at else []
    shown = BoundedPaginator(images, MOST).get_page(request.GET.get("page", "1"))
    return page(
        request,
        "updates/images.html",
        title=f"Images of {found}",
        model=ImageRemoval,
        context={
            "device": found,
            "look": look,
            "count": len(images),
            "shown": shown,
            "rows": [Row(image, _why_not(image)) for image in shown],
            "remove": _remove_button(request, found),
            "buttons": [ask_button(request, found), _engine_button(found)],
        },
    )


class RemoveImagesForm(ReasonForm):
    """`number` is what somebody has to type for more than a few devices."""

    where = forms.ChoiceField(widget=UnfoldAdminSelectWidget())
    number = forms.IntegerField(
        label="Number of devices",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    field_order = ("where", "reason", "number")


class RemoveImages(VerbPage):
    """The images that the address names go, on the device or on all that have one of them; what is in use stays."""

    template_name = "updates/remove_images.html"
    form_class = RemoveImagesForm
    model = ImageRemoval
    permission = REMOVE
    button = "Remove"
    is_danger = True

    def find(self) -> None:
        rows = Device.objects.select_related("engine_look")
        self.device = get_object_or_404(rows, pk=self.kwargs["device"])
        self.wanted = self.request.GET.getlist("image")
        self.all_devices = NOTHING
        if not self.wanted:
            return
        try:
            self.all_devices = reach_of(self.wanted, self._open())
        except Refused as error:
            self.refusal = error

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Without an image there is nothing to ask about."""
        return super().get(request, *args, **kwargs) if self.wanted else redirect(self.back())

    def title(self) -> str:
        count = len(self.wanted)
        return f"Remove {count} image{'' if count == 1 else 's'}"

    def back(self) -> str:
        return images_url(self.device)

    def says(self) -> list[str]:
        reach = self.all_devices
        used = f", on {reach.in_use} of them a container uses one" if reach.in_use else ""
        return [
            f"All devices that had one of them when they were asked last, or were never asked: {len(reach.devices)}{used}.",
            "What a container uses or a way back holds is refused there, and stays. "
            "What an Instance names is pulled again with its next update.",
        ]

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        form = super().get_form(form_class)
        count = len(self.all_devices.devices)
        where = cast(forms.ChoiceField, form.fields["where"])
        where.choices = [
            (HERE, f"on {self.device} only"),
            (EVERYWHERE, f"on all devices that have them ({count})"),
        ]
        if count > MEANT_ABOVE:
            form.fields["number"].help_text = f"Type {count} if you mean all devices."
        else:
            del form.fields["number"]
        return form

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        look: EngineLook | None = getattr(self.device, "engine_look", None)
        chosen = _chosen(look, self.wanted[:MOST]) if look else []
        return super().get_context_data(**kwargs) | {"device": self.device, "chosen": chosen}

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        devices = self._open()
        if given["where"] == HERE:
            devices = devices.filter(pk=self.device.pk)
        else:
            count = len(self.all_devices.devices)
            require_meant(count=count, said=given.get("number"), how="type the number")
        removal = request_removal(
            references=self.wanted, devices=devices, actor=self.actor, reason=given["reason"]
        )
        messages.success(self.request, "The removal is on its way.")
        return reverse("admin:updates_imageremoval_change", args=[removal.pk])

    def _open(self) -> QuerySet[Device]:
        return devices_open_to(cast(User, self.request.user))


def images_url(device: Device) -> str:
    """The page of the images that the device's engine has."""
    return reverse("admin:updates_imageremoval_of_device", args=[device.pk])


def _chosen(look: EngineLook, wanted: Sequence[str]) -> list[LocalImage | str]:
    """What the device's engine has of them, and the bare names of those that it has not."""
    there = {image.name: image for image in local_images(look)}
    return [there.get(name, name) for name in wanted]


def _why_not(image: LocalImage) -> str:
    """Whose way back holds it, or what is wrong with a name that is older than today's rules for names; empty if it can go."""
    if image.kept_for:
        return f"Kept for a way back of {', '.join(image.kept_for)}; it goes with that."
    try:
        checked_image(image.name)
    except BadReference as error:
        return str(error)
    return ""


def _remove_button(request: HttpRequest, device: Device) -> Button:
    return Button(
        "Remove chosen",
        reverse("admin:updates_imageremoval_remove", args=[device.pk]),
        why_not=why_not_permitted(request, REMOVE),
        is_danger=True,
    )


def _engine_button(device: Device) -> Button:
    return Button("Engine", engine_url(device))
