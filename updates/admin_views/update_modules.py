"""Pages about Update Modules: upload, and one version of one."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from portal.core.pages import VerbPage, page, require
from updates.forms import UpdateModuleForm
from updates.models import UpdateModule
from updates.services.artifacts import upload_update_module

SHOWN_CHARACTERS = 64 * 1024


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
        return reverse("admin:updates_updatemodule_change", args=[module.pk])


def update_module_page(request: HttpRequest, module: UpdateModule) -> HttpResponse:
    """One version, with its text if it is a script."""
    require(request, "updates.view_updatemodule")
    with module.file.open("rb") as file:
        content = file.read(SHOWN_CHARACTERS)
    return page(
        request,
        "updates/update_module.html",
        title=str(module),
        model=UpdateModule,
        context={
            "module": module,
            "text": content.decode(errors="replace") if content.startswith(b"#!") else "",
            "versions": UpdateModule.objects.filter(name=module.name).exclude(pk=module.pk),
        },
    )
