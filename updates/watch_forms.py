"""Forms of the pages about watched containers. What is allowed is the services' business, not theirs."""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

from django import forms
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from portal.core.forms import ReasonForm, tick
from updates.models import WatchedContainer
from updates.module_forms import image_field

NUMBER: Final = {"inputmode": "numeric"}
PLAIN: Final = {"spellcheck": "false", "autocomplete": "off"}


def _lines(label: str, help_text: str, *, rows: int = 3) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, help_text=help_text,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": rows, "spellcheck": "false"}),
    )  # fmt: skip


def _json(label: str, help_text: str) -> forms.CharField:
    return _lines(label, help_text, rows=5)


class WatchForm(ReasonForm):
    """What the containers are called here, and which image's versions they follow."""

    image = image_field("The tag is what runs now; newer ones are looked for beside it.")
    name = forms.CharField(
        required=False, max_length=100, help_text="Its first container's name, if empty.",
        widget=UnfoldAdminTextInputWidget(attrs=PLAIN),
    )  # fmt: skip
    field_order = ("image", "name", "reason")


class UpgradeForm(ReasonForm):
    """A version for watched containers. Whoever may not force is not offered to."""

    version = forms.CharField(
        max_length=300,
        help_text="A tag such as 2.14.0, or latest for the newest that is known.",
        widget=UnfoldAdminTextInputWidget(attrs=PLAIN),
    )
    no_backup = tick(
        "Make no backup",
        "Not recommended: if the new version changes the data and fails, the data stays changed.",
    )
    force = tick("Also if it is what runs already", "The containers are made anew all the same.")
    field_order = ("version", "no_backup", "force", "reason")


class PreflightForm(forms.Form):
    version = forms.CharField(
        required=False, max_length=300, widget=UnfoldAdminTextInputWidget(attrs=PLAIN)
    )


class SkipForm(forms.Form):
    version = forms.CharField(
        max_length=100, help_text="Its tag, such as 1.1.0.", widget=UnfoldAdminTextInputWidget()
    )
    reason = forms.CharField(
        required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )


class SnoozeForm(forms.Form):
    days = forms.ChoiceField(
        label="For",
        choices=[("1", "a day"), ("7", "a week"), ("30", "a month"), ("0", "no time: tell me now")],
        widget=UnfoldAdminSelectWidget(),
    )


class SettingsForm(forms.Form):
    """How containers are upgraded, and which versions they are offered."""

    containers = _lines(
        "Containers", "One on each line: they stop in this order, and start in the other one."
    )
    track = forms.ChoiceField(
        label="Offer", choices=WatchedContainer.Track.choices, widget=UnfoldAdminSelectWidget()
    )
    notes_template = forms.CharField(
        label="Release notes", required=False, max_length=400,
        help_text="Where they are if the image does not say it; {version} stands for the tag.",
        widget=UnfoldAdminTextInputWidget(attrs=PLAIN),
    )  # fmt: skip
    volumes = _lines(
        "Data",
        "What a backup holds, one on each line: names of volumes, and folders of the device by their whole paths.",
    )
    backup_dir = forms.CharField(
        label="Backups go to", max_length=255,
        help_text="A folder on the device. Backups hold all of the data: best on an encrypted volume.",
        widget=UnfoldAdminTextInputWidget(attrs=PLAIN),
    )  # fmt: skip
    keeps_backups = forms.IntegerField(
        label="Keep", min_value=1, max_value=1000, help_text="Backups; the older ones go.",
        widget=UnfoldAdminTextInputWidget(attrs=NUMBER),
    )  # fmt: skip
    hook = forms.CharField(
        label="Before a backup", required=False, max_length=1000,
        help_text="A command in the first container that readies its data. If empty, SQLite databases are copied by SQLite.",
        widget=UnfoldAdminTextInputWidget(attrs=PLAIN),
    )  # fmt: skip
    dumps = _json(
        "Databases beside it",
        'A JSON list, such as [{"container": "db", "command": ["pg_dump", "-Fc", "app"], "file": "/tmp/app.dump", '
        '"restore": ["pg_restore", "--clean", "-d", "app", "/tmp/app.dump"]}].',
    )
    probes = _json(
        "Health gate",
        'Besides the containers\' own health: a JSON list of probes, such as [{"kind": "http", "url": '
        '"http://127.0.0.1:8080/health"}]; kinds are http, tcp, command and container.',
    )
    health_seconds = forms.IntegerField(
        label="Seconds to become healthy", min_value=1, widget=UnfoldAdminTextInputWidget(attrs=NUMBER),
        help_text="A slow start is no failure within them.",
    )  # fmt: skip
    stop_seconds = forms.IntegerField(
        label="Seconds to stop", min_value=1, widget=UnfoldAdminTextInputWidget(attrs=NUMBER)
    )
    project_dir = forms.CharField(
        label="Compose files", required=False, max_length=255,
        help_text="The folder on the device where they are by now, if it is not the one that the labels name.",
        widget=UnfoldAdminTextInputWidget(attrs=PLAIN),
    )  # fmt: skip

    def clean_containers(self) -> list[str]:
        return _names(self.cleaned_data["containers"])

    def clean_volumes(self) -> list[str]:
        return _names(self.cleaned_data["volumes"])

    def clean_hook(self) -> list[str]:
        try:
            return shlex.split(self.cleaned_data["hook"])
        except ValueError:
            raise forms.ValidationError("A quotation mark is missing.") from None

    def clean_dumps(self) -> object:
        return _read(self.cleaned_data["dumps"])

    def clean_probes(self) -> object:
        return _read(self.cleaned_data["probes"])


def settings_of(watched: WatchedContainer) -> dict[str, Any]:
    """What the form shows of it."""
    return {
        **{name: getattr(watched, name) for name in SettingsForm.base_fields},
        "containers": "\n".join(watched.containers),
        "volumes": "\n".join(watched.volumes),
        "hook": shlex.join(watched.hook),
        "dumps": json.dumps(watched.dumps, indent=2) if watched.dumps else "",
        "probes": json.dumps(watched.probes, indent=2) if watched.probes else "",
    }


def _names(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read(text: str) -> object:
    try:
        return json.loads(text) if text.strip() else []
    except (ValueError, RecursionError):
        raise forms.ValidationError("This is no JSON.") from None
