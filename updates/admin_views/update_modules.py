"""Pages about Update Modules: upload, one version of one, looking at it on devices, and how to make one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from devices.models import Device
from portal.core.errors import Refused, StorageUnavailable
from portal.core.pages import VerbPage, mark_of, page, require, why_not_permitted
from portal.core.stored import open_stored
from updates.admin_views.panel import Panel, polled
from updates.forms import SelectionForm, UpdateModuleForm
from updates.models import Artifact, CarriedModule, ModuleCheck, UpdateModule
from updates.services.artifacts import upload_update_module
from updates.services.module_checks import request_module_checks

SHOWN_CHARACTERS = 64 * 1024
SHOWN_ARTIFACTS = 10
PAGE = 10
MOST_CARRIERS = 50


@dataclass(frozen=True, slots=True)
class Carrier:
    """A device with an Update Module of its own under this name, and the portal's version with the same content."""

    carried: CarriedModule
    version: int | None


class UploadUpdateModule(VerbPage):
    form_class = UpdateModuleForm
    model = UpdateModule
    permission = "updates.upload_updatemodule"
    button = "Upload"

    def title(self) -> str:
        return "Upload Update Module"

    def back(self) -> str:
        return reverse("admin:updates_updatemodule_changelist")

    def says(self) -> list[str]:
        return [
            "An Update Module is the program that installs one payload type on devices.",
            "The newest version is brought along by every upgrade that is ordered from now on.",
        ]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        module = upload_update_module(
            name=given["name"], file=given["file"], actor=self.actor, notes=given["notes"]
        )
        messages.success(self.request, f"{module} is the one that upgrades will use.")
        return _page_of(module)


def update_module_page(request: HttpRequest, module: UpdateModule) -> HttpResponse:
    """One version: who needs it, who has it, where it was looked at, and its text if it is a script."""
    require(request, "updates.view_updatemodule")
    form, versions = SelectionForm(), list(UpdateModule.objects.filter(name=module.name))
    needing = Artifact.objects.filter(payload_type=module.name).order_by("-uploaded_at")
    return page(
        request,
        "updates/update_module.html",
        title=str(module),
        model=UpdateModule,
        context={
            "module": module,
            **_text(module),
            "versions": [version for version in versions if version.pk != module.pk],
            "needing": list(needing[: SHOWN_ARTIFACTS + 1]),
            "most_artifacts": SHOWN_ARTIFACTS,
            "carriers": _carriers(module, versions),
            "most_carriers": MOST_CARRIERS,
            "form": form,
            "picked": None,
            "filter_fields": [form[f"where_{word}"] for word in SelectionForm.words],
            "checks": _checks_panel(request, module),
            "why_no_check": why_not_permitted(request, "updates.check_artifact"),
        },
    )


def _text(module: UpdateModule) -> dict[str, object]:
    """The beginning of a script, for the page; or why it cannot be shown."""
    try:
        with open_stored(str(module.file.name)) as file:
            content = file.read(SHOWN_CHARACTERS)
    except StorageUnavailable as error:
        return {"text": "", "refusal": error}
    return {"text": content.decode(errors="replace") if content.startswith(b"#!") else ""}


@polled("updates.view_updatemodule")
def module_checks_fragment(request: HttpRequest, pk: int) -> Panel:
    """What a waiting panel polls: news, or nothing. 286 once every look has been taken."""
    return _checks_panel(request, get_object_or_404(UpdateModule, pk=pk))


@require_POST
def order_module_checks(request: HttpRequest, pk: int) -> HttpResponse:
    """The chosen devices are being looked at: one of before "again", or a new selection."""
    actor = require(request, "updates.check_artifact")
    module = get_object_or_404(UpdateModule, pk=pk)
    try:
        request_module_checks(module=module, devices=_chosen(request, module), actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    return redirect(_page_of(module) + "#checks")


@require_GET
def walk_through(request: HttpRequest) -> HttpResponse:
    """How to make an Update Module, from the first line to the rollback."""
    require(request, "updates.view_updatemodule")
    return page(
        request,
        "updates/walk_through.html",
        title="Make an Update Module",
        model=UpdateModule,
        context={},
    )


def _carriers(module: UpdateModule, versions: list[UpdateModule]) -> list[Carrier]:
    """One more than are shown, if there are more."""
    known = {version.sha256: version.version for version in reversed(versions)}
    carried = CarriedModule.objects.filter(name=module.name).select_related("device")
    rows = carried.order_by("device__name")[: MOST_CARRIERS + 1]
    return [Carrier(row, known.get(row.sha256)) for row in rows]


def _checks_panel(request: HttpRequest, module: UpdateModule) -> Panel:
    checks = (
        ModuleCheck.objects.filter(module=module).select_related("device").order_by("device__name")
    )
    waiting = Count("pk", filter=Q(verdict=ModuleCheck.Verdict.WAITING))
    counts = checks.order_by().aggregate(every=Count("pk"), waiting=waiting)
    pages = Paginator(checks, PAGE)
    pages.count = counts["every"]
    shown = pages.get_page(request.GET.get("checks", "1"))
    html = render_to_string(
        "updates/module_checks.html",
        {
            "shown": shown,
            "why_not": why_not_permitted(request, "updates.check_artifact"),
        },
    )
    url = reverse("admin:updates_updatemodule_checks", args=[module.pk])
    return Panel(
        html,
        mark_of(html),
        is_waiting=bool(counts["waiting"]),
        url=f"{url}?checks={shown.number}",
        seconds=2,
    )


def _chosen(request: HttpRequest, module: UpdateModule) -> QuerySet[Device]:
    """The devices that the request means. Refused, with the reason, when it makes no sense."""
    if "again" in request.POST:
        return Device.objects.filter(module_checks__module=module, name=request.POST["again"])
    form = SelectionForm(request.POST)
    if not form.is_valid():
        raise Refused(" ".join(str(text) for texts in form.errors.values() for text in texts))
    return form.chosen(cast(User, request.user))


def _page_of(module: UpdateModule) -> str:
    return reverse("admin:updates_updatemodule_change", args=[module.pk])
