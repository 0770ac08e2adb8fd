"""Importing devices: a file, then what it would do, then the word to do it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminFileFieldWidget

from devices.models import Device, StoredImport
from devices.queries import stored_import
from devices.services.csv_table import MOST_BYTES, MOST_ROWS
from devices.services.device_files import WRITTEN
from devices.services.imports import Verdict, import_devices, preview_import, store_import
from portal.core.errors import Refused
from portal.core.forms import ReasonForm, show_with
from portal.core.pages import VerbPage

PAGE: Final = 50
WORST_FIRST: Final = (Verdict.WRONG, Verdict.CHANGED, Verdict.NEW, Verdict.UNCHANGED)


class FileForm(forms.Form):
    file = forms.FileField(label="CSV file", widget=UnfoldAdminFileFieldWidget())


class ConfirmForm(ReasonForm):
    """`expected` is what the preview counted; the word is given for that."""

    expected = forms.CharField(widget=forms.HiddenInput())


class ImportDevices(VerbPage):
    """Takes the file in. Nothing happens to the fleet yet."""

    template_name = "devices/import.html"
    form_class = FileForm
    model = Device
    permission = "devices.add_device"
    button = "Preview"

    def title(self) -> str:
        return "Import devices"

    def back(self) -> str:
        return reverse("admin:devices_device_changelist")

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"columns": WRITTEN, "most_rows": MOST_ROWS}

    def act(self, form: forms.Form) -> str:
        file = form.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise Refused(f"The file is larger than {MOST_BYTES // 2**20} MiB.")
        stored = store_import(name=file.name, content=file.read(), actor=self.actor)
        return reverse("admin:devices_device_import_preview", args=[stored.pk])


class PreviewImport(VerbPage):
    """Shows what the file would do, row by row, and does it: all rows or none."""

    template_name = "devices/import_preview.html"
    form_class = ConfirmForm
    model = Device
    permission = "devices.add_device"
    button = "Import them"

    def find(self) -> None:
        pk: UUID = self.kwargs["pk"]
        try:
            self.stored: StoredImport = stored_import(pk, self.actor.user)
        except Refused as error:
            raise Http404(str(error)) from error
        self.preview = preview_import(content=bytes(self.stored.content), actor=self.actor)
        self.counts = self.preview.counts
        self.expected = " ".join(f"{word}:{count}" for word, count in self.counts.items())

    def title(self) -> str:
        return f"Import {self.stored.name}"

    def back(self) -> str:
        return reverse("admin:devices_device_changelist")

    def get_initial(self) -> dict[str, str]:
        return {"expected": self.expected}

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        shown = self.request.GET.get("show", "")
        first = next((verdict for verdict in WORST_FIRST if self.counts[verdict]), Verdict.NEW)
        show = Verdict(shown) if shown in set(Verdict) else first
        rows = Paginator(self.preview.of(show), PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(**kwargs) | {
            "notes": self.preview.notes,
            "counts": [(verdict.value, self.counts[verdict]) for verdict in WORST_FIRST],
            "show": show.value,
            "rows": rows,
            "is_wrong": bool(self.counts[Verdict.WRONG]),
            "is_idle": not self.counts[Verdict.NEW] and not self.counts[Verdict.CHANGED],
        }

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        show_with(form, expected=str(self.expected))
        return super().form_invalid(form)

    def act(self, form: forms.Form) -> str:
        if form.cleaned_data["expected"] != self.expected:
            raise Refused("The fleet changed since you looked: this is what the file would do now.")
        done = import_devices(
            content=bytes(self.stored.content),
            actor=self.actor,
            reason=form.cleaned_data["reason"],
        )
        messages.success(
            self.request,
            f"{done.counts['new']} devices are new, {done.counts['changed']} changed, "
            f"{done.counts['unchanged']} are as they were.",
        )
        return self.back()
