"""The page on which an artifact is put together."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal.core.actors import Actor
from portal.core.errors import Refused
from portal.core.pages import VerbPage, require
from updates.admin_views.build_form import FORMS, BuildForm
from updates.formats.mender_artifact import ArtifactDescription
from updates.models import Artifact, UpdateModule
from updates.services.building import build_artifact, composition_of
from updates.services.keys import open_signing_key

PERMISSION = "updates.upload_artifact"


class BuildArtifact(VerbPage):
    """A form for each kind of payload; a panel beside it shows what comes of what is filled in."""

    template_name = "updates/build.html"
    model = Artifact
    permission = PERMISSION
    button = "Build artifact"

    def find(self) -> None:
        if self.kwargs["kind"] not in FORMS:
            raise Http404
        self.form_class = FORMS[self.kwargs["kind"]][1]

    def title(self) -> str:
        return "Build an artifact"

    def back(self) -> str:
        return reverse("admin:updates_artifact_changelist")

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        form = super().get_form(form_class)
        cast(BuildForm, form).allow_signing(self.actor)
        return form

    def act(self, form: forms.Form) -> str:
        artifact = built(cast(BuildForm, form), actor=self.actor)
        messages.success(self.request, f"{artifact} is built, verified and kept.")
        return reverse("admin:updates_artifact_change", args=[artifact.pk])

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        kind = self.kwargs["kind"]
        types = UpdateModule.objects.order_by("name").values_list("name", flat=True).distinct()
        return super().get_context_data(**kwargs) | {
            "kind": kind,
            "kinds": [
                (name, label, reverse("admin:updates_artifact_build", args=[name]))
                for name, (label, _) in FORMS.items()
            ],
            "preview": reverse("admin:updates_artifact_build_preview", args=[kind]),
            "payload_types": types,
        }


def built(form: BuildForm, *, actor: Actor) -> Artifact:
    """The artifact that the form, which is valid, asks for, signed if it asks for that: verified and kept."""
    chosen = form.cleaned_data.get("key")
    key = open_signing_key(key=chosen, actor=actor) if chosen else None
    with form.payload() as files:
        return build_artifact(
            spec=form.spec(files), actor=actor, notes=form.cleaned_data["notes"], key=key
        )


@require_POST
def build_preview(request: HttpRequest, kind: str) -> HttpResponse:
    """What the artifact would say about itself, before a file of it was sent. Nothing is kept."""
    actor = require(request, PERMISSION)
    if kind not in FORMS:
        raise Http404
    form = FORMS[kind][1](request.POST)
    form.allow_signing(actor)
    for name in form.files_asked():
        form.fields[name].required = False
    asked, wrong = _faults(form)
    context: dict[str, object] = {"asked": asked, "wrong": wrong}
    if form.is_valid():
        try:
            context["composition"] = _composition(form)
        except Refused as error:
            context["refusal"] = error
    return render(request, "updates/build_preview.html", context, status=HTTPStatus.OK)


def _composition(form: BuildForm) -> ArtifactDescription:
    return composition_of(form.spec(form.stand_ins()))


def _faults(form: BuildForm) -> tuple[list[str], list[str]]:
    """The fields that are still empty, and what is wrong with others: a form that was just opened is not wrong."""
    asked: list[str] = []
    wrong: list[str] = []
    for name, errors in form.errors.as_data().items():
        if name not in form.fields:
            continue
        label = str(form[name].label)
        if all(error.code == "required" for error in errors):
            asked.append(label)
        else:
            wrong.append(f"{label}: {' '.join(map(str, form.errors[name]))}")
    return asked, wrong
