"""The verbs for watched containers: watch, upgrade, settings, skip, snooze, look for newer versions, stop watching."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from devices.models import Device, EngineLook
from portal.core.errors import Refused
from portal.core.pages import VerbPage, require, why_not_permitted
from updates.admin_views.preflight import preflight_panel
from updates.admin_views.watched_links import page_of
from updates.formats.image_versions import is_older
from updates.models import WatchedContainer
from updates.recipes.container.data_places import all_called, called
from updates.services.container_desk import LATEST, order_upgrade, version_meant
from updates.services.container_orders import FORCE
from updates.services.container_upgrades import UPGRADE
from updates.services.version_checks import (
    ASK,
    offer_version,
    request_version_check,
    skip_version,
    snooze,
)
from updates.services.watch_settings import SETTINGS, save_watched
from updates.services.watching import (
    ADD,
    CHANGE,
    NewWatch,
    not_backed_up,
    standing_on,
    unwatch,
    watch,
)
from updates.watch_forms import (
    SettingsForm,
    SkipForm,
    SnoozeForm,
    UpgradeForm,
    WatchForm,
    settings_of,
)

UPGRADE_PORTAL: Final = "updates.upgrade_portal"
DOWNGRADE: Final = "Downgrading is not recommended if the database schema has changed."


def permission_to_upgrade(watched: WatchedContainer) -> str:
    """The portal itself is another matter than what it looks after."""
    return UPGRADE_PORTAL if watched.is_portal else UPGRADE


class WatchContainers(VerbPage):
    """The containers that the address names, of the device that it names."""

    model = WatchedContainer
    form_class = WatchForm
    permission = ADD
    button = "Watch"

    def find(self) -> None:
        self.device = get_object_or_404(Device, pk=self.kwargs["device"])
        self.names = self.request.GET.getlist("container")

    def title(self) -> str:
        return f"Watch {', '.join(self.names) or 'containers'}"

    def back(self) -> str:
        return reverse("admin:updates_watchedcontainer_on", args=[self.device.pk])

    def says(self) -> list[str]:
        return [
            f"Nothing is done on {self.device}. From now on the portal looks for newer versions of the image, "
            "and can upgrade these containers to them.",
            "How they are backed up and when they are well can be set on the next page.",
        ]

    def get_initial(self) -> dict[str, Any]:
        look = EngineLook.objects.filter(device=self.device).first()
        for one in standing_on(look) if look else []:
            if self.names and self.names[0] in one.containers:
                return {"image": one.image}
        return {}

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        new = NewWatch(
            device=self.device, containers=self.names, image=given["image"], name=given["name"]
        )
        watched = watch(new, actor=self.actor, reason=given["reason"])
        messages.success(self.request, f"{watched} is watched.")
        return page_of(watched)


class WatchedVerb(VerbPage):
    """A verb for the watched container that the address names."""

    model = WatchedContainer
    permission = CHANGE

    def find(self) -> None:
        rows = WatchedContainer.objects.select_related(
            "instance__device", "instance__module", "preflight"
        )
        self.watched = get_object_or_404(rows, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"{self.button}: {self.watched}"

    def back(self) -> str:
        return page_of(self.watched)


class UpgradeWatched(WatchedVerb):
    """First what it would do; a second word for an older version, or one without a backup, which cannot be taken back whole."""

    template_name = "updates/upgrade_watched.html"
    form_class = UpgradeForm
    permission = UPGRADE
    button = "Upgrade"

    def find(self) -> None:
        super().find()
        if self.watched.is_portal:
            require(self.request, UPGRADE_PORTAL)

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        form = super().get_form(form_class)
        if why_not_permitted(self.request, FORCE):
            del form.fields["force"], form.fields["no_backup"]
        return form

    def get_initial(self) -> dict[str, Any]:
        asked = self.request.GET.get("version", "")
        return {"version": version_meant(self.watched, asked) if asked else ""}

    def says(self) -> list[str]:
        watched, waits = self.watched, self.watched.health_seconds
        names = ", ".join(watched.containers)
        lines = [
            f"{watched} runs {watched.image}. Its containers ({names}) stop, get the other image, and start again: it is away "
            "meanwhile.",
            *_said_of_data(watched),
            f"If the new version is not healthy within {waits} seconds, the one of before is put back"
            + (
                ", with the data that was backed up."
                if _holds_data(watched)
                else "; data stays as the new version left it."
            ),
        ]
        asked = self.request.POST.get("version") or self.request.GET.get("version", "")
        if asked and is_older(version_meant(watched, asked), than=watched.instance.version):
            lines.append(f"This is an older version. {DOWNGRADE}")
        return lines

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        shown = {
            "watched": self.watched,
            "preflight": preflight_panel(self.request, self.watched),
            "downgrade": DOWNGRADE,
            "may_force": not why_not_permitted(self.request, FORCE),
        }
        return super().get_context_data(**kwargs) | shown

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        upgrade = order_upgrade(
            watched=self.watched, version=given["version"] or LATEST, force=given.get("force", False),
            backup=not given.get("no_backup", False), actor=self.actor, reason=given["reason"],
        )  # fmt: skip
        return reverse("admin:updates_upgrade_change", args=[upgrade.pk])


def _holds_data(watched: WatchedContainer) -> bool:
    return bool(watched.volumes or watched.dumps or watched.is_portal)


def _said_of_data(watched: WatchedContainer) -> Iterator[str]:
    """What is backed up before, and what is not: nobody is promised more than what a rollback puts back."""
    held = [called(name) for name in watched.volumes]
    held += [f"the dump of {dump['container']}" for dump in watched.dumps]
    if watched.is_portal:
        yield f"Its data is backed up before, to {watched.backup_dir}."
    elif held:
        yield f"Backed up before, to {watched.backup_dir}: {', '.join(held)}."
    else:
        yield "NO data of it is backed up: its settings name none."
    if left := not_backed_up(watched):
        yield f"NOT backed up, and not put back if it fails: {all_called(left)}."


class EditWatched(WatchedVerb):
    form_class = SettingsForm
    button = "Save"

    def title(self) -> str:
        return f"Settings of {self.watched}"

    def says(self) -> list[str]:
        return [
            "They hold for the next upgrade. What is ordered already goes on as it was ordered."
        ]

    def get_initial(self) -> dict[str, Any]:
        return settings_of(self.watched)

    def act(self, form: forms.Form) -> str:
        for field in SETTINGS:
            setattr(self.watched, field, form.cleaned_data[field])
        save_watched(watched=self.watched, actor=self.actor)
        messages.success(self.request, "Saved.")
        return self.back()


class SkipWatched(WatchedVerb):
    form_class = SkipForm
    button = "Skip a version"

    def get_initial(self) -> dict[str, Any]:
        return {"version": self.request.GET.get("version", "")}

    def says(self) -> list[str]:
        return [f"The version is not offered for {self.watched} any more; the next one will be."]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        skip_version(
            watched=self.watched, version=given["version"], actor=self.actor, reason=given["reason"]
        )
        messages.success(self.request, f"{given['version']} is skipped there.")
        return self.back()


class SnoozeWatched(WatchedVerb):
    form_class = SnoozeForm
    button = "Snooze"

    def says(self) -> list[str]:
        return [f"Nobody is told of newer versions of {self.watched} for a while."]

    def act(self, form: forms.Form) -> str:
        snooze(watched=self.watched, days=int(form.cleaned_data["days"]), actor=self.actor)
        messages.success(self.request, f"{self.watched} says nothing for a while.")
        return self.back()


class Unwatch(WatchedVerb):
    button = "Stop watching"
    is_danger = True

    def says(self) -> list[str]:
        return [
            f"{self.watched} goes on running; nobody looks for newer versions of it, and it cannot be upgraded from here.",
            "Its history and its backups stay. Watched again under the same name, it goes on where it was.",
        ]

    def act(self, form: forms.Form) -> str:
        unwatch(watched=self.watched, actor=self.actor, reason=form.cleaned_data["reason"])
        messages.success(self.request, f"{self.watched} is watched no longer.")
        return self.back()


@require_POST
def ask_registry(request: HttpRequest, pk: int) -> HttpResponse:
    """A worker is asking its registry."""
    actor, watched = require(request, ASK), _found(pk)
    try:
        request_version_check(watched=watched, actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Its registry is being asked: load this page again.")
    return redirect(page_of(watched))


@require_POST
def offer_again(request: HttpRequest, pk: int) -> HttpResponse:
    """A version that was skipped is offered again."""
    actor, watched = require(request, CHANGE), _found(pk)
    version = request.POST.get("version", "")
    try:
        offer_version(watched=watched, version=version, actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{version} is offered again.")
    return redirect(page_of(watched))


def _found(pk: int) -> WatchedContainer:
    return get_object_or_404(WatchedContainer.objects.select_related("instance__device"), pk=pk)
