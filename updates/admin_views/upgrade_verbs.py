"""Pages that say what will happen and then do something with one upgrade: apply, cancel, retry, recover."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from devices.models import Device
from portal.core.pages import VerbPage
from updates.admin_views.plan_preview import preview_of
from updates.admin_views.releases import asked_for
from updates.container_advice import SEE_WATCHDOG
from updates.forms import ApplyForm, ReleaseForm
from updates.machine import BEFORE_ANY_CHANGE, State
from updates.models import Artifact, Release, Upgrade
from updates.queries import history
from updates.services.choosing import artifacts_of, nearest
from updates.services.force import force_cancel_upgrade
from updates.services.recover import recover_upgrade
from updates.services.upgrades import (
    apply_artifact,
    apply_release,
    cancel_upgrade,
    commit_upgrade,
    retry_upgrade,
)


class ApplyArtifact(VerbPage):
    """The form, on request with what would happen; then the order itself."""

    template_name = "updates/apply.html"
    model = Upgrade
    form_class = ApplyForm
    permission = "updates.apply_artifact"
    button = "Apply"

    def find(self) -> None:
        self.device = get_object_or_404(Device, pk=self.kwargs["device"])

    def title(self) -> str:
        return f"Apply an artifact to {self.device}"

    def back(self) -> str:
        return reverse("admin:devices_device_change", args=[self.device.pk])

    def says(self) -> list[str]:
        installed = self.device.artifact_name or "nothing that the portal knows of"
        return [
            f"{self.device} is a {self.device.device_type}; installed is {installed}.",
            "The upgrade starts at once, and goes back by itself if it fails.",
        ]

    def get_initial(self) -> dict[str, Any]:
        return asked_for(self.request)

    def form_valid(self, form: forms.Form) -> HttpResponse:
        if "preview" in self.request.POST:
            return self.render_to_response(self.get_context_data(form=form))
        return super().form_valid(form)

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        form = context["form"]
        given = getattr(form, "cleaned_data", {}) if form.is_bound else asked_for(self.request)
        artifact = self._artifact(given)
        return context | ({"preview": preview_of(artifact, self.device)} if artifact else {})

    def _artifact(self, given: dict[str, Any]) -> Artifact | None:
        """What to preview: the one that is named, or that of the release which fits the device or comes nearest."""
        named: Artifact | None = given.get("artifact")
        release: Release | None = given.get("release")
        if named is not None or release is None:
            return named
        return nearest(artifacts_of(release), self.device)

    def act(self, form: forms.Form) -> str:
        given, what = form.cleaned_data, cast(ReleaseForm, form).what()
        words: dict[str, Any] = {
            "device": self.device,
            "actor": self.actor,
            "reason": given["reason"],
            "force": given["force"],
            "holds": given["holds"],
        }
        if isinstance(what, Artifact):
            return _page_of(apply_artifact(artifact=what, **words))
        return _page_of(apply_release(release=what, **words))


class UpgradeVerb(VerbPage):
    """A verb for the upgrade that the address names."""

    model = Upgrade

    def find(self) -> None:
        self.upgrade = get_object_or_404(history(), pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"{self.button}: {self.upgrade}"

    def back(self) -> str:
        return _page_of(self.upgrade)


class CancelUpgrade(UpgradeVerb):
    permission = "updates.cancel_upgrade"
    button = "Cancel upgrade"
    is_danger = True

    def says(self) -> list[str]:
        if self.upgrade.executor == Upgrade.Executor.DEVICE:
            return [
                "An upgrade that the device has not been offered yet is over at once.",
                "Else the device hears of it with its next report, and takes back what it changed; what it has committed stays.",
            ]
        return [
            "An upgrade that waits is over at once.",
            "One that runs stops at its next safe point; what it changed already is taken back.",
        ]

    def act(self, form: forms.Form) -> str:
        cancel_upgrade(upgrade=self.upgrade, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, "The cancel is on its way.")
        return _page_of(self.upgrade)


class CommitUpgrade(UpgradeVerb):
    permission = "updates.apply_artifact"
    button = "Commit"

    def says(self) -> list[str]:
        return [
            f"{self.upgrade.to_version} stays on {self.upgrade.device}: ArtifactCommit makes it permanent.",
            "If it is not as it should be, cancel the upgrade instead: that takes it back.",
        ]

    def act(self, form: forms.Form) -> str:
        commit_upgrade(upgrade=self.upgrade, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, "It is being committed.")
        return _page_of(self.upgrade)


class RetryUpgrade(UpgradeVerb):
    permission = "updates.retry_upgrade"
    button = "Retry"

    def says(self) -> list[str]:
        return [f"A new upgrade of {self.upgrade.device} does the same again."]

    def act(self, form: forms.Form) -> str:
        reason = form.cleaned_data["reason"]
        return _page_of(retry_upgrade(upgrade=self.upgrade, actor=self.actor, reason=reason))


class RecoverUpgrade(UpgradeVerb):
    form_class = forms.Form
    permission = "updates.recover_upgrade"
    button = "Recover"

    def says(self) -> list[str]:
        return [
            "It is put back on the queue, and the next free worker goes on with it.",
            "What runs on the device is not started twice: the worker attaches to it, or reads how it ended.",
            "It is refused while a worker that lives holds the upgrade.",
        ]

    def act(self, form: forms.Form) -> str:
        recover_upgrade(upgrade=self.upgrade, actor=self.actor)
        messages.success(self.request, "It is back on the queue.")
        return _page_of(self.upgrade)


class ForceCancelUpgrade(UpgradeVerb):
    permission = "updates.force_cancel_upgrade"
    button = "Force cancel"
    is_danger = True

    def says(self) -> list[str]:
        if self.upgrade.executor == Upgrade.Executor.WATCHDOG:
            return self._says_of_watchdog()
        harmless = State(self.upgrade.state) in BEFORE_ANY_CHANGE
        return [
            "It is over at once, whatever its device is doing, which is told so when it reports next."
            if self.upgrade.executor == Upgrade.Executor.DEVICE
            else "It is over at once, whatever its worker is doing. That worker can write nothing more.",
            "Nothing can have been changed on the device yet, so it ends as cancelled."
            if harmless
            else "Nothing is undone or cleaned up on the device: unless its end was decided already, "
            "it ends as broken, and a person has to look.",
            "What waits for the device goes on."
            if self.upgrade.executor == Upgrade.Executor.DEVICE
            else "What waits for the device goes on. Try Recover first: it does no harm.",
        ]

    def _says_of_watchdog(self) -> list[str]:
        harmless = State(self.upgrade.state) in BEFORE_ANY_CHANGE
        return [
            "If the portal's watchdog has not taken it yet, or does not live, it is over at once.",
            "A watchdog that lives is asked to end it, and does within seconds; once it has stopped the portal's containers, "
            "this is refused, since it is putting them back.",
            "Nothing can have been changed yet, so it ends as cancelled."
            if harmless
            else "Where no watchdog lives, nothing is put back: unless its end was decided already, "
            "it ends as broken, and a person has to look at the portal's containers.",
            f"No worker has a part in it, so Recover is no help. {SEE_WATCHDOG}",
        ]

    def act(self, form: forms.Form) -> str:
        reason = form.cleaned_data["reason"]
        upgrade = force_cancel_upgrade(upgrade=self.upgrade, actor=self.actor, reason=reason)
        says = (
            "It is over."
            if upgrade.state == State.FINISHED
            else "The watchdog is asked to end it: this page shows when it has."
        )
        messages.success(self.request, says)
        return _page_of(self.upgrade)


def _page_of(upgrade: Upgrade) -> str:
    return reverse("admin:updates_upgrade_change", args=[upgrade.pk])
