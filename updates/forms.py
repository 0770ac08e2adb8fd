"""Forms of the pages about artifacts and upgrades. What is allowed is the services' business, not theirs."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.contrib.auth.models import User
from django.db.models import QuerySet
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from devices.models import Device, DeviceGroup
from devices.queries import devices_chosen
from portal.core.forms import ReasonForm, SecretArea, tick
from updates.models import Artifact, Deployment, Release
from updates.services.data_of import DataOf
from updates.services.keys import Generated

ONLY_OFFERED: Final = "only_offered"
"""The word in a lookup's address by which it leaves out what was withdrawn."""


class UploadForm(forms.Form):
    file = forms.FileField(label="File", widget=UnfoldAdminFileFieldWidget())
    notes = forms.CharField(
        required=False,
        max_length=2000,
        help_text="For whoever deploys it.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )


class RollBackForm(ReasonForm):
    """Nothing is chosen beforehand."""

    CHOICES = (
        (
            DataOf.BEFORE.value,
            "Those of before, from the backup: what was written since is lost to it",
        ),
        (DataOf.NOW.value, "Those of now, as they are"),
    )
    data_of = forms.ChoiceField(
        label="Which data is it to have then?",
        choices=CHOICES,
        widget=UnfoldAdminRadioSelectWidget(),
    )
    field_order = ("data_of", "reason")


class UpdateModuleForm(UploadForm):
    name = forms.CharField(
        max_length=100,
        help_text="The payload type that it handles, such as web-file.",
        widget=UnfoldAdminTextInputWidget(),
    )
    field_order = ("name", "file", "notes")


class SelectionForm(forms.Form):
    """Which devices: named ones, members of groups, those that a filter finds, those picked in a list before, or all.

    Named ones are looked up, so a big fleet is no long list. The filter's words are those of the device list.
    """

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
    everything = tick("All devices")
    where_q = forms.CharField(
        label="Name, host or type contains", required=False, widget=UnfoldAdminTextInputWidget()
    )
    where_device_type = forms.CharField(
        label="Device type", required=False, widget=UnfoldAdminTextInputWidget()
    )
    where_installed = forms.CharField(
        label="Installed", required=False, widget=UnfoldAdminTextInputWidget()
    )
    where_attribute = forms.CharField(
        label="Attributes",
        required=False,
        help_text="site=Leipzig; floor>3; os~debian",
        widget=UnfoldAdminTextInputWidget(),
    )
    where_unreachable = forms.ChoiceField(
        label="Reachable",
        choices=[("", "Any"), ("false", "Reachable"), ("true", "Unreachable")],
        required=False,
        widget=UnfoldAdminSelectWidget(),
    )
    selection = forms.UUIDField(required=False, widget=forms.HiddenInput())

    words = ("q", "device_type", "installed", "attribute", "unreachable")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        ways = [
            bool(cleaned.get("devices") or cleaned.get("groups")),
            bool(cleaned.get("everything")),
            bool(self.filter_words()),
            bool(cleaned.get("selection")),
        ]
        if not any(ways):
            raise forms.ValidationError("Choose devices, groups, a filter, or all devices.")
        if sum(ways) > 1:
            raise forms.ValidationError(
                "Choose one way only: devices and groups, or a filter, or all devices."
            )
        return cleaned

    def filter_words(self) -> dict[str, str]:
        """The filter, as the device list knows it."""
        given = {word: self.cleaned_data.get(f"where_{word}", "") for word in self.words}
        return {word: value for word, value in given.items() if value}

    def chosen_words(self) -> dict[str, Any]:
        """The choice as it is kept with the deployment."""
        chosen = self.cleaned_data
        if chosen["everything"]:
            return {"everything": True}
        if chosen["selection"]:
            return {"selection": str(chosen["selection"])}
        if self.filter_words():
            return {"filter": self.filter_words()}
        return {
            "devices": [device.pk for device in chosen["devices"]],
            "groups": [group.pk for group in chosen["groups"]],
        }

    def chosen(self, user: User) -> QuerySet[Device]:
        """The devices that the choice means right now, as far as `user` may touch them. Refused when it makes no sense."""
        return devices_chosen(self.chosen_words(), by=user)


class TrustedKeyForm(forms.Form):
    name = forms.CharField(
        max_length=100, help_text="Whose it is.", widget=UnfoldAdminTextInputWidget()
    )
    pem = forms.CharField(
        label="Public key",
        max_length=16 * 1024,
        help_text="In PEM form: RSA of 2048 bits or more, or ECDSA P-256.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
    )


class SigningKeyForm(forms.Form):
    PASTED = "pasted"

    name = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    how = forms.ChoiceField(
        label="Where it comes from",
        choices=[
            (Generated.ECDSA.value, "The portal makes one: ECDSA P-256"),
            (Generated.RSA.value, "The portal makes one: RSA, 3072 bits"),
            (PASTED, "It is the one below"),
        ],
        widget=UnfoldAdminSelectWidget(),
    )
    pem = forms.CharField(
        label="Private key",
        required=False,
        max_length=16 * 1024,
        help_text="In PEM form. It is encrypted, and never shown again.",
        widget=SecretArea(rows=8),
    )
    password = forms.CharField(
        label="Its password",
        required=False,
        strip=False,
        help_text="If it has one.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        is_pasted = cleaned.get("how") == self.PASTED
        if is_pasted and not cleaned.get("pem"):
            self.add_error("pem", "Paste the private key.")
        if not is_pasted and cleaned.get("pem"):
            self.add_error("how", "There is a key below: choose that one, or leave it out.")
        return cleaned


class EditReleaseForm(forms.Form):
    notes = forms.CharField(
        required=False,
        help_text="For whoever deploys it.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 5}),
    )
    tags = forms.CharField(
        required=False,
        help_text="Words, with spaces or commas between them: stable kiosk",
        widget=UnfoldAdminTextInputWidget(),
    )


class OfferedSelect(AutocompleteSelect):
    """Looks up what can be ordered, and nothing that was withdrawn."""

    def get_url(self) -> str:
        return f"{super().get_url()}?{ONLY_OFFERED}=yes"


class ReleaseForm(ReasonForm):
    """A release, looked up by name, or one artifact of it, and why."""

    release = forms.ModelChoiceField(
        queryset=Release.objects.all(),
        required=False,
        help_text="Each device gets that of its artifacts which fits it.",
        widget=OfferedSelect(
            Deployment._meta.get_field("release"), admin.site, attrs={"class": "fw-lookup"}
        ),
    )
    artifact = forms.ModelChoiceField(
        label="Only this artifact of it",
        queryset=Artifact.objects.select_related("release"),
        required=False,
        widget=OfferedSelect(
            Deployment._meta.get_field("artifact"), admin.site, attrs={"class": "fw-lookup"}
        ),
    )
    force = tick("Also where it is installed already")
    field_order: tuple[str, ...] = ("release", "artifact", "reason", "force")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "release" in self.errors or "artifact" in self.errors:
            return cleaned
        if not cleaned.get("release") and not cleaned.get("artifact"):
            self.add_error("release", "Choose a release.")
        return cleaned

    def what(self) -> Release | Artifact:
        """What is ordered: the one artifact, where one is named."""
        ordered: Release | Artifact = self.cleaned_data["artifact"] or self.cleaned_data["release"]
        return ordered


class ApplyForm(ReleaseForm):
    holds = tick("Wait before the commit, until somebody has looked")
    field_order = (*ReleaseForm.field_order, "holds")


class DeployForm(SelectionForm, ReleaseForm):
    """`expected` is the mark of the devices that the preview showed, and the confirmation is for those; `typed` is how many."""

    name = forms.CharField(
        required=False,
        max_length=200,
        help_text="The artifact's name, if empty.",
        widget=UnfoldAdminTextInputWidget(),
    )
    expected = forms.CharField(max_length=100, required=False, widget=forms.HiddenInput())
    typed = forms.IntegerField(required=False, widget=forms.HiddenInput())


class ChangeRepositoryForm(forms.Form):
    is_enabled = tick("Enabled", "What it publishes is offered.")
    is_testing = tick(
        "Offer pre-releases",
        "Like any other version. Else they are only for those who ask for one.",
    )


class NewRepositoryForm(forms.Form):
    name = forms.CharField(
        max_length=100,
        help_text="Of two with the same module, the one whose name comes last is listened to.",
        widget=UnfoldAdminTextInputWidget(),
    )
    url = forms.CharField(
        label="Address",
        max_length=300,
        help_text="Where its repodata.json is, without that name: https://…",
        widget=UnfoldAdminTextInputWidget(),
    )
    is_testing = ChangeRepositoryForm.base_fields["is_testing"]
