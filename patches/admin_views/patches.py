"""Pages about patches: upload, one patch with its composition, delete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from patches.admin_views.spread import spread_panel
from patches.forms import PatchUploadForm
from patches.models import Patch
from patches.queries import orders_of_patch, versions_of
from patches.services.patches import delete_patch, upload_patch
from portal.core import clock
from portal.core.errors import Refused
from portal.core.pages import (
    REFUSED_STATUS,
    Button,
    VerbPage,
    mark_of,
    page,
    require,
    why_not_permitted,
)
from updates.admin_views.panel import Panel, polled
from updates.models import Module

SHOWN_UPGRADES: Final = 10
SHOWN_FILES: Final = 500
SHOWN_NODES: Final = 5
PATIENCE: Final = timedelta(minutes=10)
"""How long a page waits for what nodes know of a patch. A check tells it anyhow."""


@dataclass(frozen=True, slots=True)
class File:
    """A row of the composition. `nodes` are some of those that know it, `more` how many others; None: nobody was asked yet."""

    row: dict[str, Any]
    nodes: list[str] | None
    more: int = 0


class UploadPatch(VerbPage):
    """A form for one file; a script sends several of them in turn, and asks for JSON instead of pages."""

    template_name = "patches/upload.html"
    form_class = PatchUploadForm
    model = Patch
    permission = "patches.upload_patch"
    button = "Upload"

    def title(self) -> str:
        return "Upload patch"

    def back(self) -> str:
        return reverse("admin:patches_patch_changelist")

    def get_initial(self) -> dict[str, Any]:
        """What the link to here names; the module, if there is only one."""
        named = self.request.GET.get("module", "")
        only = list(Module.objects.values_list("pk", flat=True)[:2])
        module = named if named.isdecimal() else only[0] if len(only) == 1 else None
        return {"module": module, "version": self.request.GET.get("version", "")[:100]}

    def act(self, form: forms.Form) -> str:
        patch = self._upload(form)
        messages.success(self.request, f"{patch} is uploaded. Check it, then apply it.")
        return patch_url(patch)

    def form_valid(self, form: forms.Form) -> HttpResponse:
        if self.request.accepts("text/html"):
            return super().form_valid(form)
        try:
            patch = self._upload(form)
        except Refused as error:
            code = getattr(error, "rule", error.code)
            return JsonResponse({"sentence": str(error), "code": code}, status=REFUSED_STATUS)
        says = f"{patch}, {len(patch.composition)} files for {patch.module} {patch.version}"
        return JsonResponse({"url": patch_url(patch), "says": says}, status=201)

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        if self.request.accepts("text/html"):
            return super().form_invalid(form)
        sentence = " ".join(
            f"{form.fields[name].label or name.capitalize()}: {text}"
            if name in form.fields
            else str(text)
            for name, texts in form.errors.items()
            for text in texts
        )
        return JsonResponse({"sentence": sentence, "code": "form"}, status=REFUSED_STATUS)

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"limit": settings.PATCH_LIMIT_BYTES}

    def _upload(self, form: forms.Form) -> Patch:
        given = form.cleaned_data
        return upload_patch(
            file=given["file"], module=given["module"], version=given["version"],
            actor=self.actor, notes=given["notes"],
        )  # fmt: skip


@require_GET
def versions_fragment(request: HttpRequest) -> HttpResponse:
    """The versions that instances of the chosen module have, to choose from."""
    if not admin.site.has_permission(request):
        return HttpResponseClientRefresh()
    require(request, "patches.upload_patch")
    named = request.GET.get("module", "")
    found = (
        versions_of(int(named)) if named.isascii() and named.isdecimal() and len(named) < 18 else []
    )
    return HttpResponse(render_to_string("patches/versions.html", {"versions": found}))


class DeletePatch(VerbPage):
    model = Patch
    permission = "patches.delete_patch"
    button = "Delete archive"
    is_danger = True

    def find(self) -> None:
        self.patch = get_object_or_404(Patch, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Delete the archive of {self.patch}"

    def back(self) -> str:
        return patch_url(self.patch)

    def says(self) -> list[str]:
        return [
            "The archive is removed, so that nobody applies it by accident.",
            "Where it is in force it stays in force, and can still be reverted. Its history and its results stay.",
        ]

    def act(self, form: forms.Form) -> str:
        delete_patch(patch=self.patch, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"The archive of {self.patch} is deleted.")
        return patch_url(self.patch)


def patch_page(request: HttpRequest, patch: Patch) -> HttpResponse:
    """What the patch is made of, where it was checked, where it is in force, and what became of it."""
    require(request, "patches.view_patch")
    may_see = not why_not_permitted(request, "updates.view_upgrade")
    return page(
        request,
        "patches/patch.html",
        title=patch.name,
        model=Patch,
        context={
            "patch": patch,
            "composition": composition_panel(patch),
            "spread": spread_panel(request, patch),
            "upgrades": orders_of_patch(patch)[:SHOWN_UPGRADES] if may_see else None,
            "buttons": _buttons(request, patch),
        },
    )


@polled("patches.view_patch")
def composition_fragment(_request: HttpRequest, pk: UUID) -> Panel:
    """What the page polls until it is known which nodes know the files; 286 from then on."""
    return composition_panel(get_object_or_404(Patch, pk=pk))


def composition_panel(patch: Patch) -> Panel:
    """The files of the archive, with the nodes that know them as soon as those have said so."""
    files = [_file(patch, row) for row in patch.composition[:SHOWN_FILES]]
    is_waiting = (
        patch.known_to is None
        and patch.deleted_at is None
        and clock.now() - patch.uploaded_at < PATIENCE
    )
    html = render_to_string(
        "patches/composition.html",
        {
            "files": files,
            "rest": len(patch.composition) - len(files),
            "code": sum(row["is_code"] for row in patch.composition),
            "assemblies": sum(not row["is_code"] for row in patch.composition),
            "is_waiting": is_waiting,
        },
    )
    url = reverse("admin:patches_patch_composition", args=[patch.pk])
    return Panel(html, mark_of(html), is_waiting=is_waiting, url=f"{url}?", seconds=2)


def _file(patch: Patch, row: dict[str, Any]) -> File:
    if patch.known_to is None:
        return File(row, None)
    nodes = patch.known_to.get(row["path"], [])
    return File(row, nodes[:SHOWN_NODES], max(0, len(nodes) - SHOWN_NODES))


def patch_url(patch: Patch) -> str:
    """The patch's own page."""
    return reverse("admin:patches_patch_change", args=[patch.pk])


def _buttons(request: HttpRequest, patch: Patch) -> list[Button]:
    gone = f"{patch.deleted_by_name} has deleted it already." if patch.deleted_at else ""
    return [
        Button(
            "Delete archive",
            reverse("admin:patches_patch_delete_page", args=[patch.pk]),
            why_not=why_not_permitted(request, "patches.delete_patch") or gone,
            is_danger=True,
        ),
    ]
