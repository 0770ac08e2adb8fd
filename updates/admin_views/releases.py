"""Pages about releases: what is in one, notes and tags, check, withdraw, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from portal.core.errors import Refused
from portal.core.pages import Button, VerbPage, page, require, why_not_permitted
from portal.core.queries import edits_of
from updates.forms import EditReleaseForm, SelectionForm
from updates.models import Artifact, Check, Release
from updates.queries import history, installed_on
from updates.services.checks import request_release_checks
from updates.services.releases import (
    delete_release,
    edit_release,
    refuse_used,
    restore_release,
    tags_of,
    why_it_stays,
    withdraw_release,
)

SHOWN_UPGRADES = 10
VIEW_AUDIT = "core.view_auditevent"


@dataclass(frozen=True, slots=True)
class Part:
    """One artifact of a release, with its checks counted: verdict, its word, how many."""

    artifact: Artifact
    verdicts: list[tuple[str, str, int]]


def release_page(request: HttpRequest, release: Release) -> HttpResponse:
    """The artifacts of the release, what can be done with it, and what became of it."""
    require(request, "updates.view_release")
    artifacts, form = _with_checks(release), SelectionForm()
    upgrades = list(history().filter(artifact__in=artifacts)[:SHOWN_UPGRADES])
    why_used = why_it_stays(release) if upgrades else _why_used(release)
    return page(
        request,
        "updates/release.html",
        title=release.name,
        model=Release,
        context={
            "release": release,
            "tags": tags_of(release),
            "parts": _parts(artifacts),
            "installed": installed_on([release.name]).get(release.name, 0),
            "form": form,
            "picked": None,
            "filter_fields": [form[f"where_{word}"] for word in SelectionForm.words],
            "why_no_check": why_not_permitted(request, "updates.check_artifact"),
            "is_used": bool(why_used),
            "upgrades": upgrades,
            "edits": edits_of(release) if request.user.has_perm(VIEW_AUDIT) else None,
            "buttons": _buttons(request, release, why_used=why_used),
        },
    )


@require_POST
def order_release_checks(request: HttpRequest, pk: int) -> HttpResponse:
    """The chosen devices are being checked, each against the artifact that is for it."""
    actor = require(request, "updates.check_artifact")
    release = get_object_or_404(Release, pk=pk)
    form = SelectionForm(request.POST)
    try:
        if not form.is_valid():
            raise Refused(" ".join(str(text) for texts in form.errors.values() for text in texts))
        devices = form.chosen(cast(User, request.user))
        checks = request_release_checks(release=release, devices=devices, actor=actor)
        messages.success(request, f"{len(checks)} devices are being checked.")
    except Refused as error:
        messages.error(request, str(error))
    return redirect(_page_of(release))


class ReleaseVerb(VerbPage):
    """A verb for the release that the address names."""

    model = Release

    def find(self) -> None:
        self.release = get_object_or_404(Release, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"{self.button}: {self.release}"

    def back(self) -> str:
        return _page_of(self.release)


class EditRelease(ReleaseVerb):
    form_class = EditReleaseForm
    permission = "updates.change_release"
    button = "Save"

    def title(self) -> str:
        return f"Notes and tags of {self.release}"

    def get_initial(self) -> dict[str, Any]:
        return {"notes": self.release.notes, "tags": " ".join(tags_of(self.release))}

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        edit_release(
            release=self.release,
            notes=given["notes"],
            tags=given["tags"].replace(",", " ").split(),
            actor=self.actor,
        )
        messages.success(self.request, "Saved.")
        return self.back()


class WithdrawRelease(ReleaseVerb):
    permission = "updates.withdraw_release"
    button = "Withdraw"
    is_danger = True

    def says(self) -> list[str]:
        return [
            "Nobody can deploy or apply it any more, and whoever tries is told your reason.",
            "What was ordered before goes on: cancel it where it should not. This can be taken back.",
        ]

    def act(self, form: forms.Form) -> str:
        reason = form.cleaned_data["reason"]
        withdraw_release(release=self.release, actor=self.actor, reason=reason)
        messages.success(self.request, f"{self.release} is withdrawn.")
        return self.back()


class RestoreRelease(ReleaseVerb):
    permission = "updates.withdraw_release"
    button = "Restore"

    def says(self) -> list[str]:
        return [f"{self.release} can be ordered again."]

    def act(self, form: forms.Form) -> str:
        reason = form.cleaned_data["reason"]
        restore_release(release=self.release, actor=self.actor, reason=reason)
        messages.success(self.request, f"{self.release} can be ordered again.")
        return self.back()


class DeleteRelease(ReleaseVerb):
    permission = "updates.delete_artifact"
    button = "Delete release"
    is_danger = True

    def says(self) -> list[str]:
        count = self.release.artifacts.count()
        return [
            f"Its {count} artifacts, their files and their checks are removed.",
            "A release that is part of the history of devices stays: withdraw it.",
        ]

    def act(self, form: forms.Form) -> str:
        reason = form.cleaned_data["reason"]
        delete_release(release=self.release, actor=self.actor, reason=reason)
        messages.success(self.request, f"{self.release} is deleted.")
        return reverse("admin:updates_release_changelist")


def asked_for(request: HttpRequest) -> dict[str, Any]:
    """A form's first values: the release or the artifact that the address asks for, if there is such a one."""
    wanted = request.GET.get("release", "")
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 18:
        return {"release": Release.objects.filter(pk=int(wanted)).first()}
    try:
        artifact = UUID(request.GET.get("artifact", ""))
    except ValueError:
        return {}
    return {"artifact": Artifact.objects.select_related("release").filter(pk=artifact).first()}


def _with_checks(release: Release) -> list[Artifact]:
    """Its artifacts, each with the number of its checks by verdict: in one question, for there are many to ask on this page."""
    return list(
        release.artifacts.select_related("signed_by")
        .annotate(
            **{word.name: Count("checks", filter=Q(checks__verdict=word)) for word in Check.Verdict}
        )
        .order_by("-uploaded_at", "-pk")
    )


def _parts(artifacts: list[Artifact]) -> list[Part]:
    return [
        Part(
            artifact,
            [
                (word.value, word.label, count)
                for word in Check.Verdict
                if (count := getattr(artifact, word.name))
            ],
        )
        for artifact in artifacts
    ]


def _buttons(request: HttpRequest, release: Release, *, why_used: str) -> list[Button]:
    is_withdrawn = release.withdrawn_at is not None
    verb = "restore" if is_withdrawn else "withdraw"
    deploy = reverse("admin:updates_deployment_deploy") + f"?release={release.pk}"
    return [
        Button(
            "Deploy",
            deploy,
            why_not=why_not_permitted(request, "updates.deploy_artifact")
            or ("It is withdrawn." if is_withdrawn else ""),
            is_main=True,
        ),
        Button(
            "Notes and tags",
            reverse("admin:updates_release_edit", args=[release.pk]),
            why_not=why_not_permitted(request, "updates.change_release"),
        ),
        Button(
            verb.capitalize(),
            reverse(f"admin:updates_release_{verb}", args=[release.pk]),
            why_not=why_not_permitted(request, "updates.withdraw_release"),
            is_danger=not is_withdrawn,
        ),
        Button(
            "Delete",
            reverse("admin:updates_release_delete_page", args=[release.pk]),
            why_not=why_not_permitted(request, "updates.delete_artifact") or why_used,
            is_danger=True,
        ),
    ]


def _why_used(release: Release) -> str:
    try:
        refuse_used(release)
    except Refused as error:
        return str(error)
    return ""


def _page_of(release: Release) -> str:
    return reverse("admin:updates_release_change", args=[release.pk])
