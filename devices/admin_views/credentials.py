"""Pages about credentials that Django's own forms do not know."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from django.urls import reverse

from devices.models import Credential
from devices.queries import devices_open_to
from devices.services import delete_credential
from portal.core.keyset import counted
from portal.core.pages import VerbPage

NAMED = 10


class DeleteCredential(VerbPage):
    """A credential that opens nothing any more. While it does, the page names the devices, the first of them."""

    template_name = "devices/delete_credential.html"
    model = Credential
    permission = "devices.delete_credential"
    button = "Delete credential"
    is_danger = True

    def find(self) -> None:
        credentials = Credential.objects.defer("secret", "passphrase")
        self.credential = get_object_or_404(credentials, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Delete {self.credential}"

    def back(self) -> str:
        return reverse("admin:devices_credential_change", args=[self.credential.pk])

    def says(self) -> list[str]:
        return ["Its secret is gone for good. What was done with it stays in the history."]

    def get_context_data(self, **kwargs: object) -> dict[str, Any]:
        opened = devices_open_to(cast(User, self.request.user)).filter(credential=self.credential)
        shown = {
            "credential": self.credential,
            "count": counted(opened),
            "devices": list(opened.only("name").order_by("name")[:NAMED]),
        }
        return super().get_context_data(**(shown | kwargs))

    def act(self, form: forms.Form) -> str:
        name, reason = str(self.credential), form.cleaned_data["reason"]
        delete_credential(credential=self.credential, actor=self.actor, reason=reason)
        messages.success(self.request, f"{name} is deleted.")
        return reverse("admin:devices_credential_changelist")
