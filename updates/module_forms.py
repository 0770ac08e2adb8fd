"""Forms of the pages about module updates. What is allowed is the services' business, not theirs."""

from __future__ import annotations

import json
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from portal.core.forms import ReasonForm, tick
from updates.models import Installation, Instance, Module, Upgrade
from updates.services.module_choice import Wanted, why_not_image

MOST_PORTS: Final = 100


def image_field(help_text: str) -> forms.CharField:
    """A module image by its name."""
    return forms.CharField(
        label="Image",
        max_length=300,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget(attrs={"spellcheck": "false", "autocomplete": "off"}),
        validators=[_require_image],
    )


def _require_image(text: str) -> None:
    if why_not := why_not_image(text):
        raise forms.ValidationError(why_not)


class CarefulForm(ReasonForm):
    """How an order to several begins, and when it stops."""

    canary = tick(
        "Canary first",
        "The first has to succeed before the others start; if it does not, they are cancelled.",
    )
    stops_at_failure = tick(
        "Stop at the first failure", "Those that have not begun are cancelled when one fails."
    )


class UpdateAllForm(CarefulForm):
    number = forms.IntegerField(
        label="How many",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
    )
    field_order = ("canary", "stops_at_failure", "reason", "number")


class ChoiceForm(forms.Form):
    """An image, and the instances that it is meant for."""

    image = image_field("Such as ghcr.io/nethserver/mymodule:1.1.0.")
    instances = forms.ModelMultipleChoiceField(
        queryset=Instance.objects.select_related("module", "device"),
        required=False,
        widget=AutocompleteSelectMultiple(
            Upgrade._meta.get_field("instance"), admin.site, attrs={"class": "fw-lookup"}
        ),
    )
    module = forms.ModelChoiceField(
        label="Or all instances of",
        queryset=Module.objects.exclude(source=""),
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if {"instances", "module"} & set(self.errors):
            return cleaned
        if bool(cleaned.get("instances")) == bool(cleaned.get("module")):
            raise forms.ValidationError("Choose instances, or all instances of a module.")
        return cleaned

    def chosen(self) -> list[Instance]:
        """Of a module, those of its instances that are installed, by name; else as they were picked."""
        rows = Instance.objects.select_related("module", "device", "installation")
        if module := self.cleaned_data["module"]:
            there = rows.filter(module=module, installation__uninstalled_at=None)
            return list(there.exclude(installation=None).order_by("name"))
        named = {row.pk: row for row in rows.filter(pk__in=self.cleaned_data["instances"])}
        # A lookup gives its rows in the order of the table: what was picked first stands first in the request.
        picked = [int(pk) for pk in self.data.getlist("instances")]  # type: ignore[attr-defined]
        return [named[pk] for pk in dict.fromkeys(picked) if pk in named]


class UpdateForm(ChoiceForm, CarefulForm):
    """An image for instances. `expected` are the names that the preview showed, and the confirmation is for those; `typed` is
    how many they are, by hand."""

    force = tick(
        "Also where it is installed already", "It is pulled again, and its scripts run again."
    )
    override = tick(
        "Although a check refuses it",
        "Also an image of another module, or of a version that says it cannot follow.",
    )
    expected = forms.CharField(required=False, widget=forms.HiddenInput())
    typed = forms.IntegerField(required=False, widget=forms.HiddenInput())
    field_order = (
        "image", "instances", "module", "canary", "stops_at_failure", "force", "override", "reason",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Django has it
        super().__init__(*args, **kwargs)
        self.fields["instances"].help_text = "In this order: the first is the canary."

    def wanted(self) -> Wanted:
        """What the form asks for."""
        given = self.cleaned_data
        return Wanted(
            image=given["image"],
            instances=self.chosen(),
            force=given["force"],
            overrides=given.get("override", False),
            canary=given["canary"],
            stops_at_failure=given["stops_at_failure"],
        )


class PlaceForm(ReasonForm):
    """Where an instance of an image lives."""

    rootfull = tick("Rootfull", "It belongs to root, and its units are the system's.")
    user = forms.CharField(
        required=False,
        max_length=32,
        help_text="Whose service manager runs it. The instance's name, if empty; root, if it is rootfull.",
        widget=UnfoldAdminTextInputWidget(),
    )
    install_dir = forms.CharField(
        label="Folder",
        required=False,
        max_length=255,
        help_text="~/.config of its user, if empty; /var/lib/nethserver and its name, if it is rootfull.",
        widget=UnfoldAdminTextInputWidget(),
    )


class AdoptForm(PlaceForm):
    image = image_field("The one that is installed there now.")
    field_order = ("image", "rootfull", "user", "install_dir", "reason")


class InstallForm(PlaceForm):
    image = image_field("Such as ghcr.io/nethserver/mymodule:1.0.0.")
    name = forms.CharField(
        required=False,
        max_length=100,
        help_text="The module's name with its next number, if empty.",
        widget=UnfoldAdminTextInputWidget(),
    )
    tcp_ports = forms.IntegerField(
        label="TCP ports", min_value=0, max_value=MOST_PORTS, initial=0,
        help_text="How many it needs: its image says so in the label org.nethserver.tcp-ports-demand.",
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
    )  # fmt: skip
    udp_ports = forms.IntegerField(
        label="UDP ports", min_value=0, max_value=MOST_PORTS, initial=0,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}),
    )  # fmt: skip
    field_order = (
        "image", "name", "tcp_ports", "udp_ports", "rootfull", "user", "install_dir", "reason",
    )  # fmt: skip


class SkipForm(ReasonForm):
    version = forms.CharField(
        max_length=255, help_text="Its tag, such as 1.1.0.", widget=UnfoldAdminTextInputWidget()
    )
    field_order = ("version", "reason")


class SettingsForm(forms.Form):
    """How an installation is updated."""

    on_failed_script = forms.ChoiceField(
        label="When a script of an update fails",
        choices=Installation.Scripts.choices,
        widget=UnfoldAdminSelectWidget(),
    )
    keeps_data = tick(
        "Keep its data before each update",
        "The state directory and these volumes: a rollback puts them back.",
    )
    volumes = forms.CharField(
        required=False, help_text="Names, one on each line.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
    )  # fmt: skip
    probes = forms.CharField(
        label="Health gate",
        required=False,
        help_text='A JSON list of probes, such as [{"kind": "http", "url": "http://127.0.0.1:20000/"}]; '
        "kinds are http, tcp, command and container.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5, "spellcheck": "false"}),
    )
    skipped = forms.CharField(
        label="Skipped versions",
        required=False,
        disabled=True,
        widget=UnfoldAdminTextInputWidget(),
    )

    def clean_volumes(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["volumes"].splitlines() if line.strip()]

    def clean_probes(self) -> object:
        text = self.cleaned_data["probes"].strip()
        try:
            return json.loads(text) if text else []
        except (ValueError, RecursionError):
            raise forms.ValidationError("This is no JSON.") from None
