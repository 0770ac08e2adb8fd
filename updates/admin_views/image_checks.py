"""Checks of module images on instances: their list, one of them, and the form that asks for some."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from portal.core.admin import DaysFilter, ReadOnlyAdmin
from portal.core.errors import Refused
from portal.core.pages import (
    Button,
    VerbPage,
    mark_of,
    number_or_404,
    page,
    require,
    why_not_permitted,
)
from updates.admin_views.module_update import asked_choice
from updates.admin_views.panel import Panel, polled
from updates.models import Check, ImageCheck, Instance
from updates.module_forms import ChoiceForm
from updates.services.image_checks import CHECK, image_checks, request_image_checks, why_stale
from updates.services.module_choice import why_not_updatable
from updates.services.module_updates import ORDER


class ImageCheckAdmin(ReadOnlyAdmin):
    list_display = ("instance", "image", "verdict", "requested_by_name", "checked_at")
    search_fields = ("image", "instance__name")
    list_filter = (("verdict", ChoicesDropdownFilter), ("checked_at", DaysFilter))
    list_filter_submit = True
    list_select_related = ("instance",)
    list_before_template = "updates/image_check_list_head.html"

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        check = get_object_or_404(image_checks(), pk=number_or_404(object_id))
        return image_check_page(request, check)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("check/", own(CheckImage.as_view()), name="updates_imagecheck_check"),
            path("<int:pk>/again/", own(check_again), name="updates_imagecheck_again"),
            path("<int:pk>/now/", image_check_fragment, name="updates_imagecheck_now"),
            *super().get_urls(),
        ]


def image_check_page(request: HttpRequest, check: ImageCheck) -> HttpResponse:
    """What was found, with its age, and what can be done about it."""
    require(request, "updates.view_imagecheck")
    return page(
        request,
        "updates/image_check.html",
        title=f"Check of {check.image} on {check.instance}",
        model=ImageCheck,
        context={"check": check, "panel": _panel(request, check)},
    )


@polled("updates.view_imagecheck")
def image_check_fragment(request: HttpRequest, pk: int) -> Panel:
    """What the check's page polls: what was found, as soon as that is known; 286 from then on."""
    return _panel(request, get_object_or_404(image_checks(), pk=pk))


@require_POST
def check_again(request: HttpRequest, pk: int) -> HttpResponse:
    """The same image is being checked on the same instance once more."""
    actor = require(request, CHECK)
    check = get_object_or_404(ImageCheck.objects.select_related("instance__module"), pk=pk)
    try:
        request_image_checks(image=check.image, instances=[check.instance], actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    return redirect(_url(check, "change"))


class CheckImage(VerbPage):
    """Which image, and on which instances."""

    form_class = ChoiceForm
    model = ImageCheck
    permission = CHECK
    button = "Check"

    def title(self) -> str:
        return "Check an image on instances"

    def back(self) -> str:
        return reverse("admin:updates_imagecheck_changelist")

    def says(self) -> list[str]:
        return [
            "Whether the image would fit is found out on the devices, in the registries and from what the image says of itself.",
            "Nothing is changed and nothing is fetched there.",
        ]

    def get_initial(self) -> dict[str, Any]:
        return asked_choice(self.request)

    def act(self, form: forms.Form) -> str:
        given = cast(ChoiceForm, form)
        checks = request_image_checks(
            image=given.cleaned_data["image"], instances=given.chosen(), actor=self.actor
        )
        if len(checks) == 1:
            return _url(checks[0], "change")
        messages.success(self.request, f"{len(checks)} instances are being checked.")
        return f"{self.back()}?{urlencode({'q': checks[0].image})}"


def check_button(request: HttpRequest, instance: Instance, *, why_not: str) -> Button:
    """Leads to the form that asks for a check of the instance."""
    url = f"{reverse('admin:updates_imagecheck_check')}?{urlencode({'instance': instance.pk})}"
    return Button("Check an image", url, why_not=why_not_permitted(request, CHECK) or why_not)


def _panel(request: HttpRequest, check: ImageCheck) -> Panel:
    html = render_to_string(
        "updates/image_check_now.html",
        {"check": check, "stale": why_stale(check), **_buttons(request, check)},
    )
    return Panel(
        html,
        mark_of(html),
        is_waiting=check.verdict == Check.Verdict.WAITING,
        url=_url(check, "now") + "?",
        seconds=2,
    )


def _buttons(request: HttpRequest, check: ImageCheck) -> dict[str, Button]:
    """What can be done; the page has the form that "again" sends."""
    gone = why_not_updatable(check.instance, check.instance.installation)
    waits = "It is being checked." if check.checked_at is None else ""
    why_not_again = why_not_permitted(request, CHECK) or gone or waits
    words = urlencode({"image": check.image, "instance": check.instance_id})
    update = f"{reverse('admin:updates_moduleorder_update')}?{words}"
    why_not_update = why_not_permitted(request, ORDER) or gone
    return {
        "again": Button("Check again", "", why_not=why_not_again),
        "update": Button("Update", update, why_not=why_not_update, is_main=True),
    }


def _url(check: ImageCheck, word: str) -> str:
    return reverse(f"admin:updates_imagecheck_{word}", args=[check.pk])
