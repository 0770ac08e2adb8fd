"""Pages about keys: those whose signature counts, and those that the portal signs with."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from portal.core.pages import Button, VerbPage, page, require, why_not_permitted
from updates.forms import SigningKeyForm, TrustedKeyForm
from updates.models import SigningKey, TrustedKey
from updates.services.keys import (
    Generated,
    delete_signing_key,
    distrust_key,
    generate_signing_key,
    import_signing_key,
    trust_key,
)

SHOWN_ARTIFACTS = 20


class TrustKey(VerbPage):
    form_class = TrustedKeyForm
    model = TrustedKey
    permission = "updates.add_trustedkey"
    button = "Trust"

    def title(self) -> str:
        return "Trust a public key"

    def back(self) -> str:
        return reverse("admin:updates_trustedkey_changelist")

    def says(self) -> list[str]:
        return ["What its private half signed, before or from now on, counts as signed here."]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        key = trust_key(name=given["name"], pem=given["pem"], actor=self.actor)
        messages.success(self.request, f"{key} is trusted.")
        return reverse("admin:updates_trustedkey_change", args=[key.pk])


class DistrustKey(VerbPage):
    model = TrustedKey
    permission = "updates.delete_trustedkey"
    button = "Trust no more"
    is_danger = True

    def find(self) -> None:
        self.key = get_object_or_404(TrustedKey, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Trust {self.key} no more"

    def back(self) -> str:
        return reverse("admin:updates_trustedkey_change", args=[self.key.pk])

    def says(self) -> list[str]:
        return [
            f"{self.key.artifacts.count()} artifacts are signed by it, and count as not signed afterwards.",
            "Devices in groups that take signed artifacts only refuse them from then on: upgrades that wait, too.",
        ]

    def act(self, form: forms.Form) -> str:
        name, reason = str(self.key), form.cleaned_data["reason"]
        distrust_key(key=self.key, actor=self.actor, reason=reason)
        messages.success(self.request, f"{name} is trusted no more.")
        return reverse("admin:updates_trustedkey_changelist")


class AddSigningKey(VerbPage):
    form_class = SigningKeyForm
    model = SigningKey
    permission = "updates.add_signingkey"
    button = "Add"

    def title(self) -> str:
        return "Add a signing key"

    def back(self) -> str:
        return reverse("admin:updates_signingkey_changelist")

    def says(self) -> list[str]:
        return [
            "The portal keeps the private key encrypted, never shows it, and trusts its public half.",
            "A key that only the portal has is lost with the portal: what it signed stays signed.",
        ]

    def act(self, form: forms.Form) -> str:
        given = form.cleaned_data
        if given["how"] == SigningKeyForm.PASTED:
            key = import_signing_key(
                name=given["name"],
                pem=given["pem"],
                password=given["password"],
                actor=self.actor,
            )
        else:
            key = generate_signing_key(
                name=given["name"], kind=Generated(given["how"]), actor=self.actor
            )
        messages.success(self.request, f"{key} can be signed with.")
        return reverse("admin:updates_signingkey_change", args=[key.pk])


class DeleteSigningKey(VerbPage):
    model = SigningKey
    permission = "updates.delete_signingkey"
    button = "Delete signing key"
    is_danger = True

    def find(self) -> None:
        self.key = get_object_or_404(SigningKey, pk=self.kwargs["pk"])

    def title(self) -> str:
        return f"Delete {self.key}"

    def back(self) -> str:
        return reverse("admin:updates_signingkey_change", args=[self.key.pk])

    def says(self) -> list[str]:
        return [
            "The private key is gone for good. What it signed stays signed, as long as its public half is trusted."
        ]

    def act(self, form: forms.Form) -> str:
        name, reason = str(self.key), form.cleaned_data["reason"]
        delete_signing_key(key=self.key, actor=self.actor, reason=reason)
        messages.success(self.request, f"{name} is deleted.")
        return reverse("admin:updates_signingkey_changelist")


def trusted_key_page(request: HttpRequest, key: TrustedKey) -> HttpResponse:
    """The key, and the newest artifacts that it signed."""
    require(request, "updates.view_trustedkey")
    return page(
        request,
        "updates/key.html",
        title=key.name,
        model=TrustedKey,
        context={
            "key": key,
            "public_pem": key.pem,
            "artifacts": key.artifacts.order_by("-uploaded_at")[:SHOWN_ARTIFACTS],
            "buttons": [_remove(request, key, word="Trust no more")],
        },
    )


def signing_key_page(request: HttpRequest, key: SigningKey) -> HttpResponse:
    """The key's public half, for whoever verifies elsewhere."""
    require(request, "updates.view_signingkey")
    return page(
        request,
        "updates/key.html",
        title=key.name,
        model=SigningKey,
        context={
            "key": key,
            "public_pem": key.public_pem,
            "is_trusted": TrustedKey.objects.filter(fingerprint=key.fingerprint).exists(),
            "buttons": [_remove(request, key, word="Delete")],
        },
    )


def _remove(request: HttpRequest, key: TrustedKey | SigningKey, *, word: str) -> Button:
    name = key._meta.model_name
    return Button(
        word,
        reverse(f"admin:updates_{name}_delete_page", args=[key.pk]),
        why_not=why_not_permitted(request, f"updates.delete_{name}"),
        is_danger=True,
    )
