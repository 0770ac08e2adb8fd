"""Pages about instances of module images: what is installed, how it is looked after, and the verbs for one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import reverse

from devices.models import Device
from portal.core.pages import Button, VerbPage, why_not_permitted
from updates.admin_views.image_checks import check_button
from updates.admin_views.watched_links import page_of
from updates.errors import NotUndoable
from updates.machine import Outcome
from updates.models import Installation, Instance, Upgrade, WatchedContainer
from updates.module_forms import AdoptForm, InstallForm, SettingsForm, SkipForm
from updates.plan import Kind
from updates.services.installations import (
    CHANGE,
    called_off_by_hold,
    hold_instance,
    release_instance,
    save_installation,
    skip_version,
)
from updates.services.installing import (
    NewInstance,
    adopt,
    install_module,
    uninstall_module,
    watched_as,
    why_not_adoptable,
    why_not_uninstallable,
)
from updates.services.module_choice import unfinished_upgrades, why_not_updatable
from updates.services.module_updates import ORDER, reinstall
from updates.services.upgrades import refuse_not_undoable
from updates.turns import is_canary


def installation_panel(request: HttpRequest, instance: Instance) -> str:
    """What of the instance's page is about its image, as HTML, with what can be done now."""
    if why_not_permitted(request, "updates.view_installation"):
        return ""
    made: Installation | None = getattr(instance, "installation", None)
    if made is None and (watched := watched_as(instance)) is not None:
        return _watched_panel(request, instance, watched)
    busy = unfinished_upgrades([instance]).get(instance.pk) if made else None
    context = {
        "made": made,
        "busy": busy,
        "buttons": _buttons(request, instance, made, busy)
        if made
        else [_adopt_button(request, instance)],
    }
    return render_to_string("updates/installation.html", context, request)


def _watched_panel(request: HttpRequest, instance: Instance, watched: WatchedContainer) -> str:
    """An instance that is a container is looked after on the container's own pages."""
    may_not = why_not_permitted(request, "updates.view_watchedcontainer")
    may_not_backups = why_not_permitted(request, "updates.view_backup")
    pk = [watched.pk]
    context = {
        "watched": watched,
        "buttons": [
            Button("Its container", page_of(watched), why_not=may_not, is_main=True),
            Button(
                "Preflight", reverse("admin:updates_watchedcontainer_preflight", args=pk),
                why_not=may_not,
            ),
            Button(
                "Backups", reverse("admin:updates_backup_of", args=pk), why_not=may_not_backups
            ),
            _adopt_button(request, instance, why_not=why_not_adoptable(watched)),
        ],
    }  # fmt: skip
    return render_to_string("updates/installation.html", context, request)


def _buttons(
    request: HttpRequest, instance: Instance, made: Installation, busy: Upgrade | None
) -> list[Button]:
    gone = why_not_updatable(instance, made)
    why_not = gone or ("It is busy." if busy else "")
    may_order, may_change = why_not_permitted(request, ORDER), why_not_permitted(request, CHANGE)
    uninstalled = "It is uninstalled already." if made.uninstalled_at else ""
    update = f"{reverse('admin:updates_moduleorder_update')}?instance={instance.pk}"
    hold = "release" if made.is_held else "hold"
    return [
        Button("Update", update, why_not=may_order or why_not, is_main=True),
        check_button(request, instance, why_not=gone),
        _verb("Reinstall", "reinstall", made, why_not=may_order or why_not),
        _roll_back_button(request, instance, why_not=why_not if busy else ""),
        _verb(hold.capitalize(), hold, made, why_not=may_change or uninstalled),
        _verb("Skip a version", "skip", made, why_not=may_change or uninstalled),
        _verb("Settings", "settings", made, why_not=may_change or uninstalled),
        _verb(
            "Uninstall", "uninstall", made, is_danger=True,
            why_not=may_order or why_not_uninstallable(instance, made) or (why_not if busy else ""),
        ),
    ]  # fmt: skip


def _verb(
    label: str, verb: str, made: Installation, *, why_not: str, is_danger: bool = False
) -> Button:
    url = reverse(f"admin:updates_installation_{verb}", args=[made.pk])
    return Button(label, url, why_not=why_not, is_danger=is_danger)


def _roll_back_button(request: HttpRequest, instance: Instance, *, why_not: str) -> Button:
    """The newest update that went well is what there is to take back."""
    if why_not:
        return Button("Roll back", "", why_not=why_not)
    found = Upgrade.objects.filter(
        instance=instance, kind=Kind.MODULE, outcome=Outcome.SUCCEEDED, unchanged=False, undoes=None
    )
    newest = found.exclude(undone_by__outcome=Outcome.SUCCEEDED).order_by("-created_at").first()
    if newest is None:
        return Button("Roll back", "", why_not="There is no update that could be taken back.")
    why_not = why_not_permitted(request, "updates.roll_back_upgrade")
    try:
        refuse_not_undoable(newest)
    except NotUndoable as error:
        why_not = why_not or str(error)
    url = reverse("admin:updates_upgrade_roll_back", args=[newest.pk])
    return Button("Roll back", url, why_not=why_not, is_danger=True)


def _adopt_button(request: HttpRequest, instance: Instance, *, why_not: str = "") -> Button:
    return Button(
        "Take under control",
        reverse("admin:updates_installation_adopt", args=[instance.pk]),
        why_not=why_not_permitted(request, CHANGE) or why_not,
    )


class InstallModule(VerbPage):
    """A new instance on the device that the address names."""

    model = Installation
    form_class = InstallForm
    permission = ORDER
    button = "Install"

    def find(self) -> None:
        self.device = get_object_or_404(Device, pk=self.kwargs["device"])

    def title(self) -> str:
        return f"Install a module on {self.device}"

    def back(self) -> str:
        return reverse("admin:devices_device_change", args=[self.device.pk])

    def says(self) -> list[str]:
        return [
            f"An instance of the image is installed on {self.device}, and taken away again by itself if that fails.",
            "Its ports are given from 20000 on. Its image says how many it needs; the portal looks at it only when the "
            "instance's turn has come.",
        ]

    def act(self, form: forms.Form) -> str:
        given = dict(form.cleaned_data)
        reason = given.pop("reason")
        new = NewInstance(device=self.device, **given)
        upgrade = install_module(new, actor=self.actor, reason=reason)
        return reverse("admin:updates_upgrade_change", args=[upgrade.pk])


class AdoptInstance(VerbPage):
    """An instance that stands on its device already is updated from here on."""

    model = Installation
    form_class = AdoptForm
    permission = CHANGE
    button = "Take under control"

    def find(self) -> None:
        self.instance = get_object_or_404(
            Instance.objects.select_related("module", "device"), pk=self.kwargs["instance"]
        )

    def title(self) -> str:
        return f"Take {self.instance} under control"

    def back(self) -> str:
        return _page_of(self.instance)

    def says(self) -> list[str]:
        return [
            f"Nothing is done on {self.instance.device}: the portal is told what is installed there, and where.",
            "The first update looks at what it finds, keeps it, and can put it back.",
        ]

    def act(self, form: forms.Form) -> str:
        given = dict(form.cleaned_data)
        reason = given.pop("reason")
        new = NewInstance(device=self.instance.device, **given)
        adopt(instance=self.instance, new=new, actor=self.actor, reason=reason)
        messages.success(self.request, f"{self.instance} is under control.")
        return self.back()


class InstallationVerb(VerbPage):
    """A verb for the installation that the address names."""

    model = Installation
    permission = ORDER

    def find(self) -> None:
        rows = Installation.objects.select_related("instance__module", "instance__device")
        self.made = get_object_or_404(rows, pk=self.kwargs["pk"])
        self.instance = self.made.instance

    def title(self) -> str:
        return f"{self.button}: {self.instance}"

    def back(self) -> str:
        return _page_of(self.instance)


class Reinstall(InstallationVerb):
    button = "Reinstall"

    def says(self) -> list[str]:
        return [
            f"{self.made.image} is pulled again and installed over itself, and its scripts run again.",
            "What is there now is kept before, and comes back if it fails.",
        ]

    def act(self, form: forms.Form) -> str:
        order = reinstall(
            instance=self.instance, actor=self.actor, reason=form.cleaned_data["reason"]
        )
        return reverse("admin:updates_upgrade_change", args=[order.upgrades.get().pk])


class Uninstall(InstallationVerb):
    button = "Uninstall"
    is_danger = True

    def says(self) -> list[str]:
        return [
            f"{self.instance} is taken away from {self.instance.device}, with its files, its services and its data.",
            "That cannot be rolled back. Its history stays, and its name is not used again.",
        ]

    def act(self, form: forms.Form) -> str:
        upgrade = uninstall_module(
            instance=self.instance, actor=self.actor, reason=form.cleaned_data["reason"]
        )
        if upgrade is None:
            messages.success(
                self.request, "Nothing of it was ever on its device: it is off the record."
            )
            return self.back()
        return reverse("admin:updates_upgrade_change", args=[upgrade.pk])


class Hold(InstallationVerb):
    permission = CHANGE
    button = "Hold"

    def says(self) -> list[str]:
        return [
            f"{self.instance} gets no update any more, but by a person who names it alone.",
            "Whoever wants to update it will read the reason.",
            *self._waiting(),
        ]

    def _waiting(self) -> Iterator[str]:
        """What becomes of that which is ordered for it already."""
        called_off = called_off_by_hold(self.instance)
        for upgrade in called_off:
            yield f"{upgrade} waits, and is called off: it came with an order for several."
            if is_canary(upgrade):
                yield "The others of that order wait for it, and are called off with it."
        busy = unfinished_upgrades([self.instance]).get(self.instance.pk)
        if busy is not None and busy not in called_off:
            state = busy.get_state_display().lower()
            yield f"{busy} is {state}, and goes on: cancel it if that is not to be."

    def act(self, form: forms.Form) -> str:
        hold_instance(instance=self.instance, why=form.cleaned_data["reason"], actor=self.actor)
        messages.success(self.request, f"{self.instance} is held.")
        return self.back()


class Release(InstallationVerb):
    permission = CHANGE
    button = "Release"

    def says(self) -> list[str]:
        return [f"{self.instance} is held, because: {self.made.held_why}"]

    def act(self, form: forms.Form) -> str:
        release_instance(
            instance=self.instance, actor=self.actor, reason=form.cleaned_data["reason"]
        )
        messages.success(self.request, f"{self.instance} is held no longer.")
        return self.back()


class SkipVersion(InstallationVerb):
    permission = CHANGE
    form_class = SkipForm
    button = "Skip a version"

    def get_initial(self) -> dict[str, Any]:
        return {"version": self.request.GET.get("version", "")}

    def says(self) -> list[str]:
        skipped = ", ".join(self.made.skipped)
        return [
            f"The version is not offered for {self.instance}, and orders for several instances leave it out.",
            *([f"Skipped already: {skipped}."] if skipped else []),
        ]

    def act(self, form: forms.Form) -> str:
        version = form.cleaned_data["version"]
        skip_version(
            instance=self.instance, version=version, actor=self.actor,
            reason=form.cleaned_data["reason"],
        )  # fmt: skip
        messages.success(self.request, f"{version} is skipped there.")
        return self.back()


class Settings(InstallationVerb):
    permission = CHANGE
    form_class = SettingsForm
    button = "Save"

    def title(self) -> str:
        return f"Settings of {self.instance}"

    def says(self) -> list[str]:
        return ["They hold for the next order. What is ordered already goes on as it was ordered."]

    def get_initial(self) -> dict[str, Any]:
        made = self.made
        return {
            "on_failed_script": made.on_failed_script,
            "keeps_data": made.keeps_data,
            "volumes": "\n".join(made.volumes),
            "probes": json.dumps(made.probes, indent=2) if made.probes else "",
            "skipped": ", ".join(made.skipped) or "none",
        }

    def act(self, form: forms.Form) -> str:
        for field in ("on_failed_script", "keeps_data", "volumes", "probes"):
            setattr(self.made, field, form.cleaned_data[field])
        save_installation(installation=self.made, actor=self.actor)
        messages.success(self.request, "Saved.")
        return self.back()


def _page_of(instance: Instance) -> str:
    return reverse("admin:updates_instance_change", args=[instance.pk])
