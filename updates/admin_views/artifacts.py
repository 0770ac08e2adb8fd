"""Pages about artifacts: upload, composition, delete."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from portal.core.errors import Refused
from portal.core.pages import (
    REFUSED_STATUS,
    Button,
    VerbPage,
    page,
    require,
    why_not_permitted,
)
from updates.admin_views.checks import checks_panel
from updates.forms import SelectionForm, UploadForm
from updates.models import Artifact
from updates.queries import upgrades_of
from updates.services.artifacts import delete_artifact, newest_update_module, upload_artifact

SHOWN_UPGRADES = 10


class UploadArtifact(VerbPage):
    """A form for one file; a script sends several of them in turn, and asks for JSON instead of pages."""

    template_name = "updates/upload.html"
    form_class = UploadForm
    model = Artifact
    permission = "updates.upload_artifact"
    button = "Upload"

    def title(self) -> str:
        return "Upload artifact"

    def back(self) -> str:
        return reverse("admin:updates_artifact_changelist")

    def act(self, form: forms.Form) -> str:
        artifact = self._upload(form)
        messages.success(
            self.request,
            f"{artifact} is uploaded and verified. Check it on devices, then deploy it.",
        )
        return reverse("admin:updates_artifact_change", args=[artifact.pk])

    def form_valid(self, form: forms.Form) -> HttpResponse:
        if self.request.accepts("text/html"):
            return super().form_valid(form)
        try:
            artifact = self._upload(form)
        except Refused as error:
            code = getattr(error, "rule", error.code)
            return JsonResponse({"sentence": str(error), "code": code}, status=REFUSED_STATUS)
        url = reverse("admin:updates_artifact_change", args=[artifact.pk])
        says = f"{artifact}, {artifact.payload_type}, for {', '.join(artifact.device_types)}"
        return JsonResponse({"url": url, "says": says}, status=201)

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        if self.request.accepts("text/html"):
            return super().form_invalid(form)
        sentence = " ".join(str(text) for texts in form.errors.values() for text in texts)
        return JsonResponse({"sentence": sentence, "code": "form"}, status=REFUSED_STATUS)

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"limit": settings.UPLOAD_LIMIT_BYTES}

    def _upload(self, form: forms.Form) -> Artifact:
        given = form.cleaned_data
        return upload_artifact(file=given["file"], actor=self.actor, notes=given["notes"])


class DeleteArtifact(VerbPage):
    model = Artifact
    permission = "updates.delete_artifact"
    button = "Delete artifact"
    is_danger = True

    def find(self) -> None:
        self.artifact = get_object_or_404(Artifact, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Delete {self.artifact}"

    def back(self) -> str:
        return reverse("admin:updates_artifact_change", args=[self.artifact.pk])

    def says(self) -> list[str]:
        return ["The file and its checks are removed. An artifact that is part of a history stays."]

    def act(self, form: forms.Form) -> str:
        name = str(self.artifact)
        delete_artifact(
            artifact=self.artifact, actor=self.actor, reason=form.cleaned_data["reason"]
        )
        messages.success(self.request, f"{name} is deleted.")
        return reverse("admin:updates_artifact_changelist")


def artifact_page(request: HttpRequest, artifact: Artifact) -> HttpResponse:
    """What the artifact is made of, on which devices it was checked, and what became of it."""
    require(request, "updates.view_artifact")
    upgrades = list(upgrades_of(artifact)[:SHOWN_UPGRADES])
    is_used = bool(upgrades) or artifact.deployments.exists()
    form = SelectionForm()
    return page(
        request,
        "updates/artifact.html",
        title=artifact.name,
        model=Artifact,
        context={
            "artifact": artifact,
            "needs": _needs(artifact),
            "update_module": newest_update_module(artifact.payload_type),
            "form": form,
            "picked": None,
            "filter_fields": [form[f"where_{word}"] for word in SelectionForm.words],
            "checks": checks_panel(request, artifact),
            "why_no_check": why_not_permitted(request, "updates.check_artifact"),
            "upgrades": upgrades,
            "is_used": is_used,
            "buttons": _buttons(request, artifact, is_used=is_used),
        },
    )


def _needs(artifact: Artifact) -> dict[str, list[str]]:
    """Everything that a device has to provide, under one roof: key and accepted values."""
    needs: dict[str, list[str]] = {"device_type": artifact.device_types}
    if artifact.depends_names:
        needs["artifact_name"] = artifact.depends_names
    if artifact.depends_groups:
        needs["artifact_group"] = artifact.depends_groups
    needs.update(artifact.depends)
    return needs


def _buttons(request: HttpRequest, artifact: Artifact, *, is_used: bool) -> list[Button]:
    return [
        Button(
            "Deploy",
            reverse("admin:updates_deployment_deploy") + f"?artifact={artifact.pk}",
            why_not=why_not_permitted(request, "updates.deploy_artifact"),
            is_main=True,
        ),
        Button("Download", reverse("admin:updates_artifact_download", args=[artifact.pk])),
        Button(
            "Delete",
            reverse("admin:updates_artifact_delete_page", args=[artifact.pk]),
            why_not=why_not_permitted(request, "updates.delete_artifact")
            or ("It is part of the history of devices, so it stays." if is_used else ""),
            is_danger=True,
        ),
    ]
