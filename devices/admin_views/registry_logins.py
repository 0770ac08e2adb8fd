"""Pages about logins to registries that Django's own forms do not know."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.shortcuts import get_object_or_404
from django.urls import reverse

from devices.models import RegistryLogin
from devices.services.engine_settings import delete_registry_login
from portal.core.pages import VerbPage


class DeleteRegistryLogin(VerbPage):
    """The portal is nobody to that registry any more."""

    model = RegistryLogin
    permission = "devices.delete_registrylogin"
    button = "Delete login"
    is_danger = True

    def find(self) -> None:
        logins = RegistryLogin.objects.defer("secret")
        self.login = get_object_or_404(logins, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Delete the login to {self.login}"

    def back(self) -> str:
        return reverse("admin:devices_registrylogin_change", args=[self.login.pk])

    def says(self) -> list[str]:
        return [
            f"Images of {self.login} that are not for everybody cannot be pulled any more. Those that devices have stay there."
        ]

    def act(self, form: forms.Form) -> str:
        name, reason = str(self.login), form.cleaned_data["reason"]
        delete_registry_login(login=self.login, actor=self.actor, reason=reason)
        messages.success(self.request, f"The login to {name} is deleted.")
        return reverse("admin:devices_registrylogin_changelist")
