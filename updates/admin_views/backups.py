"""Backups of watched containers: all of them, those of one, and a page for each verb."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from portal.core.admin import DaysFilter, ReadOnlyAdmin, component
from portal.core.bounded import BoundedPaginator
from portal.core.errors import Refused
from portal.core.pages import Button, VerbPage, number_or_404, page, require, why_not_permitted
from updates.models import Backup, WatchedContainer
from updates.services.backups import (
    ADD,
    DELETE,
    RESTORE,
    Situation,
    back_up_now,
    delete_backup,
    look_for_backups,
    restore_backup,
)

VIEW: Final = "updates.view_backup"
PAGE: Final = 20
BADGES: Final = {
    "waiting": "Is being made",
    "running": "Is being deleted",
    "succeeded": "There",
    "failed": "Failed",
    "cancelled": "Deleted",
}
"""The badge's text for what became of a backup."""


@dataclass(frozen=True, slots=True)
class Row:
    """A backup, what became of it, and what can be done about it."""

    backup: Backup
    word: str
    text: str
    made_by: str
    buttons: list[Button]


class BackupAdmin(ReadOnlyAdmin):
    list_display = ("name", "container", "device", "taken", "shown_size", "kind", "became")
    search_fields = ("path", "watched__instance__name", "watched__instance__device__name", "reason")
    list_filter = (("created_at", DaysFilter), "is_live")
    list_filter_submit = True
    list_select_related = ("watched__instance__device",)

    @admin.display(description="Backup", ordering="path")
    def name(self, backup: Backup) -> str:
        return str(backup)

    @admin.display(description="Container", ordering="watched__instance__name")
    def container(self, backup: Backup) -> str:
        return backup.watched.instance.name

    @admin.display(description="Device", ordering="watched__instance__device__name")
    def device(self, backup: Backup) -> str:
        return backup.watched.instance.device.name

    @admin.display(description="Taken", ordering="taken_at")
    def taken(self, backup: Backup) -> object:
        return backup.taken_at

    @admin.display(description="Size", ordering="size")
    def shown_size(self, backup: Backup) -> str:
        return filesizeformat(backup.size) if backup.size is not None else ""

    @admin.display(description="Copied", ordering="is_live")
    def kind(self, backup: Backup) -> str:
        return "while it ran" if backup.is_live else "while it stood"

    @admin.display(description="Now")
    def became(self, backup: Backup) -> SafeString:
        word = word_of(backup)
        return component("badge", word=word, text=BADGES[word])

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        found = get_object_or_404(Backup, pk=number_or_404(object_id))
        return backups_page(request, found.watched_id)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("of/<int:watched>/", own(backups_page), name="updates_backup_of"),
            path("of/<int:watched>/now/", own(BackUpNow.as_view()), name="updates_backup_now"),
            path("of/<int:watched>/look/", own(look), name="updates_backup_look"),
            path("<int:pk>/restore/", own(RestoreBackup.as_view()), name="updates_backup_restore"),
            path("<int:pk>/remove/", own(DeleteBackup.as_view()), name="updates_backup_remove"),
            *super().get_urls(),
        ]


@require_GET
def backups_page(request: HttpRequest, watched: int) -> HttpResponse:
    """Which backups of the containers there are, by the portal's record, and what can be done. No device is asked."""
    require(request, VIEW)
    rows = WatchedContainer.objects.select_related("instance__device")
    found = get_object_or_404(rows, pk=watched)
    situation = Situation(found)
    backups = found.backups.select_related("upgrade__device", "upgrade__instance")
    shown = BoundedPaginator(backups, PAGE).get_page(request.GET.get("page", "1"))
    return page(
        request,
        "updates/backups.html",
        title=f"Backups of {found}",
        model=Backup,
        context={
            "watched": found,
            "shown": shown,
            "rows": [_row(request, one, situation) for one in shown],
            "buttons": _buttons(request, found, situation),
        },
    )


def word_of(backup: Backup) -> str:
    """The badge's word for what became of a backup."""
    if backup.is_waiting:
        return "waiting"
    if backup.deleted_at is not None:
        return "cancelled"
    if backup.taken_at is None:
        return "failed"
    return "running" if backup.delete_requested_at else "succeeded"


@require_POST
def look(request: HttpRequest, watched: int) -> HttpResponse:
    """A worker looks what lies in the directory on the device."""
    actor = require(request, ADD)
    found = get_object_or_404(WatchedContainer, pk=watched)
    try:
        look_for_backups(watched=found, actor=actor)
    except Refused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "The directory is being looked at: load this page again.")
    return redirect(backups_url(found.pk))


class BackUpNow(VerbPage):
    model = Backup
    permission = ADD
    button = "Back up now"

    def find(self) -> None:
        rows = WatchedContainer.objects.select_related("instance__device")
        self.watched: WatchedContainer = get_object_or_404(rows, pk=self.kwargs["watched"])

    def title(self) -> str:
        return f"Back up {self.watched} now"

    def back(self) -> str:
        return backups_url(self.watched.pk)

    def says(self) -> list[str]:
        row = self.watched
        return [
            "The data are copied while the containers run: by the hook, or SQLite databases by SQLite's own backup. "
            "Nothing is stopped.",
            f"It goes to {row.backup_dir}. Of the good ones there, the newest {row.keeps_backups} stay, and what the last "
            "upgrade would be taken back with.",
        ]

    def act(self, form: forms.Form) -> str:
        reason = form.cleaned_data["reason"]
        back_up_now(watched=self.watched, actor=self.actor, reason=reason)
        messages.success(self.request, "The backup is on its way.")
        return self.back()


class BackupVerb(VerbPage):
    """A verb for the backup that the address names."""

    model = Backup
    is_danger = True

    def find(self) -> None:
        rows = Backup.objects.select_related("watched__instance__device")
        self.backup: Backup = get_object_or_404(rows, pk=self.kwargs["pk"])

    def back(self) -> str:
        return backups_url(self.backup.watched_id)


class RestoreBackup(BackupVerb):
    permission = RESTORE
    button = "Restore"

    def title(self) -> str:
        return f"Restore {self.backup}"

    def says(self) -> list[str]:
        watched, taken = self.backup.watched, self.backup.taken_at
        return [
            f"{', '.join(watched.containers)} on {watched.instance.device} stop, get the data of {taken:%Y-%m-%d %H:%M} back, "
            f"and start again with the image that they have."
            if taken
            else "There is nothing to put back.",
            "What was written since is not in them any more: it is backed up first, into a file of its own.",
        ]

    def act(self, form: forms.Form) -> str:
        reason = form.cleaned_data["reason"]
        upgrade = restore_backup(backup=self.backup, actor=self.actor, reason=reason)
        return reverse("admin:updates_upgrade_change", args=[upgrade.pk])


class DeleteBackup(BackupVerb):
    permission = DELETE
    button = "Delete"

    def title(self) -> str:
        return f"Delete {self.backup}"

    def says(self) -> list[str]:
        return [
            f"{self.backup.path} is deleted on {self.backup.watched.instance.device}, for good.",
            "That it was there, who asked for it and why stays on record.",
        ]

    def act(self, form: forms.Form) -> str:
        reason = form.cleaned_data["reason"]
        delete_backup(backup=self.backup, actor=self.actor, reason=reason)
        messages.success(self.request, "The backup is being deleted.")
        return self.back()


def backups_url(watched: int) -> str:
    """The page of the backups of that watched container."""
    return reverse("admin:updates_backup_of", args=[watched])


def _row(request: HttpRequest, backup: Backup, situation: Situation) -> Row:
    word = word_of(backup)
    return Row(
        backup=backup,
        word=word,
        text=BADGES[word],
        made_by=_made_by(backup),
        buttons=_verbs(request, backup, situation) if backup.is_there else [],
    )


def _made_by(backup: Backup) -> str:
    if backup.requested_by_name:
        return backup.requested_by_name
    return "" if backup.is_waiting else "somebody, by hand"


def _verbs(request: HttpRequest, backup: Backup, situation: Situation) -> list[Button]:
    cannot_restore = str(situation.why_not_restore(backup) or "")
    cannot_delete = str(situation.why_not_delete(backup) or "")
    return [
        Button(
            "Restore",
            reverse("admin:updates_backup_restore", args=[backup.pk]),
            why_not=why_not_permitted(request, RESTORE) or cannot_restore,
        ),
        Button(
            "Delete",
            reverse("admin:updates_backup_remove", args=[backup.pk]),
            why_not=why_not_permitted(request, DELETE) or cannot_delete,
            is_danger=True,
        ),
    ]


def _buttons(request: HttpRequest, watched: WatchedContainer, situation: Situation) -> list[Button]:
    may_not = why_not_permitted(request, ADD)
    gone = f"{watched} is watched no longer." if watched.unwatched_at else ""
    return [
        Button(
            "Back up now",
            reverse("admin:updates_backup_now", args=[watched.pk]),
            why_not=may_not or str(situation.why_not_make() or ""),
            is_main=True,
        ),
        Button(
            "Look what is there",
            reverse("admin:updates_backup_look", args=[watched.pk]),
            why_not=may_not or gone,
            posts=True,
        ),
    ]
