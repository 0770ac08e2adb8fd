"""Forms of the pages about artifacts and upgrades. What is allowed is the services' business, not theirs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.db.models import QuerySet
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from devices.models import Device, DeviceGroup
from devices.queries import select_devices
from portal.core.forms import ReasonForm
from updates.models import Artifact, Upgrade


class UploadForm(forms.Form):
    file = forms.FileField(label="File", widget=UnfoldAdminFileFieldWidget())
    notes = forms.CharField(
        required=False,
        max_length=2000,
        help_text="For whoever deploys it.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class UpdateModuleForm(UploadForm):
    name = forms.CharField(
        max_length=100,
        help_text="The payload type that it handles, such as web-file.",
        widget=UnfoldAdminTextInputWidget(),
    )
    field_order = ("name", "file", "notes")


class SelectionForm(forms.Form):
    """Which devices: named ones, members of groups, or all. Named ones are looked up, so a big fleet is no long list."""

    devices = forms.ModelMultipleChoiceField(
        queryset=Device.objects.all(),
        required=False,
        widget=AutocompleteSelectMultiple(
            DeviceGroup._meta.get_field("members"), admin.site, attrs={"class": "fw-lookup"}
        ),
    )
    groups = forms.ModelMultipleChoiceField(
        queryset=DeviceGroup.objects.all(),
        required=False,
        widget=UnfoldAdminSelectMultipleWidget(attrs={"size": 4}),
    )
    everything = forms.BooleanField(
        label="All devices", required=False, widget=UnfoldBooleanWidget()
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and not any(
            cleaned.get(field) for field in ("devices", "groups", "everything")
        ):
            raise forms.ValidationError("Choose devices, groups, or all devices.")
        return cleaned

    def selection(self) -> dict[str, Any]:
        """The choice as it is kept with the deployment."""
        chosen = self.cleaned_data
        if chosen["everything"]:
            return {"everything": True}
        return {
            "devices": [device.pk for device in chosen["devices"]],
            "groups": [group.pk for group in chosen["groups"]],
        }

    def chosen(self) -> QuerySet[Device]:
        """The devices that the choice means right now."""
        return select_devices(**self.selection())


class ArtifactForm(ReasonForm):
    """An artifact, looked up by name, and why."""

    artifact = forms.ModelChoiceField(
        queryset=Artifact.objects.all(),
        widget=AutocompleteSelect(
            Upgrade._meta.get_field("artifact"), admin.site, attrs={"class": "fw-lookup"}
        ),
    )
    force = forms.BooleanField(
        label="Also where it is installed already", required=False, widget=UnfoldBooleanWidget()
    )
    field_order: tuple[str, ...] = ("artifact", "reason", "force")


class DeployForm(SelectionForm, ArtifactForm):
    """`expected` is how many devices the preview showed; the confirmation is for that many."""

    name = forms.CharField(
        required=False,
        max_length=200,
        help_text="The artifact's name, if empty.",
        widget=UnfoldAdminTextInputWidget(),
    )
    expected = forms.IntegerField(required=False, widget=forms.HiddenInput())
    field_order: tuple[str, ...] = (
        "artifact",
        "devices",
        "groups",
        "everything",
        "reason",
        "name",
        "force",
    )
