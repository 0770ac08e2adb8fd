"""Keys that are let in before their devices ask: one from a form, many from a file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget

from devices.admin_views.enrolment import keys_url
from devices.auth_request import read_device_key, read_id_data_of
from devices.errors import Unreadable
from devices.models import AuthSet
from devices.services.csv_table import MOST_BYTES, MOST_ROWS
from devices.services.enrolment import DECIDE, preauthorise
from devices.services.preauthorising import preauthorise_many
from portal.core.errors import Refused
from portal.core.forms import ReasonForm
from portal.core.pages import VerbPage


class PreauthoriseForm(ReasonForm):
    identity = forms.CharField(
        label="Identity",
        help_text="A line for each part, as the device's identity script prints them: mac=52:54:00:12:34:56",
        max_length=4000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
    )
    public_key = forms.CharField(
        label="Public key",
        help_text="PEM, from BEGIN PUBLIC KEY to END PUBLIC KEY.",
        max_length=8000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "spellcheck": "false"}),
    )
    field_order = ("identity", "public_key", "reason")

    def clean_identity(self) -> dict[str, str]:
        """The parts by their names."""
        parts: dict[str, str] = {}
        for line in self.cleaned_data["identity"].splitlines():
            name, separator, value = line.partition("=")
            if not line.strip():
                continue
            if not separator or not name.strip():
                raise forms.ValidationError("Each line is a part of the identity: name=value.")
            if name.strip() in parts:
                raise forms.ValidationError(f"{name.strip()} is there twice.")
            parts[name.strip()] = value.strip()
        return parts


class FileForm(ReasonForm):
    file = forms.FileField(label="CSV file", widget=UnfoldAdminFileFieldWidget())
    field_order = ("file", "reason")


class Preauthorise(VerbPage):
    form_class = PreauthoriseForm
    model = AuthSet
    permission = DECIDE
    button = "Preauthorise it"

    def title(self) -> str:
        return "Preauthorise a device"

    def back(self) -> str:
        return keys_url(status=AuthSet.Status.PREAUTHORIZED)

    def says(self) -> list[str]:
        return ["Whoever asks with this identity, and proves to have this key, is let in at once."]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        try:
            identity = read_id_data_of(given["identity"])
        except Unreadable as error:
            raise forms.ValidationError({"identity": str(error)}) from error
        try:
            key = read_device_key(given["public_key"])
        except Unreadable as error:
            raise forms.ValidationError({"public_key": str(error)}) from error
        made = preauthorise(id_data=identity, key=key, actor=self.actor, reason=given["reason"])
        messages.success(self.request, f"{made.identity} is let in as soon as it asks.")
        return self.back()


class PreauthoriseFile(VerbPage):
    """All rows of the file, or none."""

    template_name = "devices/preauthorise_file.html"
    form_class = FileForm
    model = AuthSet
    permission = DECIDE
    button = "Preauthorise them"

    def title(self) -> str:
        return "Preauthorise devices from a file"

    def back(self) -> str:
        return keys_url(status=AuthSet.Status.PREAUTHORIZED)

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"most_rows": MOST_ROWS}

    def act(self, form: forms.Form) -> str:
        file = form.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise Refused(f"The file is larger than {MOST_BYTES // 2**20} MiB.")
        reason = form.cleaned_data["reason"]
        made = preauthorise_many(content=file.read(), actor=self.actor, reason=reason)
        messages.success(self.request, f"{len(made)} devices are let in as soon as they ask.")
        return self.back()
