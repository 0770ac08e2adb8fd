"""The page on which an upgrade is taken back, and on which containers are told whose data they have then."""

from __future__ import annotations

from django import forms
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.timezone import localtime

from updates.admin_views.upgrade_verbs import UpgradeVerb
from updates.forms import RollBackForm
from updates.models import Upgrade
from updates.plan import Kind
from updates.services.data_of import DataOf, WayBack, way_back
from updates.services.upgrades import roll_back_upgrade


class RollBackUpgrade(UpgradeVerb):
    """Nothing is lost without a word: where the data of before could be put back, somebody has to choose."""

    form_class = RollBackForm
    permission = "updates.roll_back_upgrade"
    button = "Roll back"
    is_danger = True

    def find(self) -> None:
        super().find()
        self.way_back = way_back(self.upgrade)

    def says(self) -> list[str]:
        earlier = self.upgrade.from_version or "what was there before"
        lines = [
            f"A new upgrade of {self.upgrade.device} takes {self.upgrade.to_version} back.",
            f"Afterwards it has {earlier} again.",
        ]
        if self.upgrade.kind == Kind.CONTAINER:
            lines += _said_of_data(self.upgrade, self.way_back)
        return lines

    def get_form(self, form_class: type[forms.Form] | None = None) -> forms.Form:
        form = super().get_form(form_class)
        field = form.fields["data_of"]
        if self.way_back is None:
            del form.fields["data_of"]
        elif self.way_back.why_gone and isinstance(field, forms.ChoiceField):
            field.choices = [one for one in RollBackForm.CHOICES if one[0] == DataOf.NOW]
        return form

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        undo = roll_back_upgrade(
            upgrade=self.upgrade,
            data=DataOf(given["data_of"]) if "data_of" in given else None,
            actor=self.actor,
            reason=given["reason"],
        )
        return reverse("admin:updates_upgrade_change", args=[undo.pk])


def _said_of_data(upgrade: Upgrade, found: WayBack | None) -> list[str]:
    if found is None:
        return ["Its data stay as they are now: there is no backup of those of before."]
    lines = [found.why_gone] if found.why_gone else _said_of_before(upgrade, found)
    return [
        *lines,
        f"With the data of now, it has what {upgrade.to_version} left. If the version of before cannot use that "
        f"and is not healthy, {upgrade.to_version} comes back by itself.",
        "In any case the data of now are backed up first, to the directory of its backups.",
    ]


def _said_of_before(upgrade: Upgrade, found: WayBack) -> list[str]:
    taken, since = found.taken_at, "then"
    if taken is not None:
        since = f"{localtime(taken):%Y-%m-%d %H:%M}, {timesince(taken)} ago"
    lines = [
        f"The data of before are those of {since}: whatever was written after that is LOST to it."
    ]
    if upgrade.executor == Upgrade.Executor.WATCHDOG:
        lines.append(
            "IT IS THE PORTAL ITSELF: with the data of before, users, passwords, settings, artifacts, the history and the audit "
            "log are as they were then. What was done since is in none of them, though devices keep what they were given."
        )
    return lines
