"""The lists of keys, and the addresses of their pages."""

from __future__ import annotations

from typing import Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from portal.core.admin import ReadOnlyAdmin
from portal.core.pages import number_or_404
from updates.admin_views import keys
from updates.models import SigningKey, TrustedKey

SHOWN_DIGITS: Final = 16


class KeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "shown_fingerprint", "added_by", "added_at")
    search_fields = ("name", "fingerprint")
    list_select_related = ("added_by",)

    @admin.display(description="Fingerprint", ordering="fingerprint")
    def shown_fingerprint(self, key: TrustedKey | SigningKey) -> str:
        """As much of it as tells keys apart: all of it is on the key's page."""
        return f"{key.fingerprint[:SHOWN_DIGITS]}…"


class TrustedKeyAdmin(KeyAdmin):
    list_before_template = "updates/trusted_key_list_head.html"

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        key = get_object_or_404(TrustedKey, pk=number_or_404(object_id))
        return keys.trusted_key_page(request, key)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("new/", own(keys.TrustKey.as_view()), name="updates_trustedkey_new"),
            path(
                "<int:pk>/delete-page/",
                own(keys.DistrustKey.as_view()),
                name="updates_trustedkey_delete_page",
            ),
            *super().get_urls(),
        ]


class SigningKeyAdmin(KeyAdmin):
    exclude = ("private_pem",)
    list_before_template = "updates/signing_key_list_head.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[SigningKey]:
        found: QuerySet[SigningKey] = super().get_queryset(request)
        return found.defer("private_pem")

    def change_view(self, request: HttpRequest, object_id: str, **_extra: object) -> HttpResponse:
        rows = SigningKey.objects.defer("private_pem")
        key = get_object_or_404(rows, pk=number_or_404(object_id))
        return keys.signing_key_page(request, key)

    def get_urls(self) -> list[URLPattern]:
        own = self.admin_site.admin_view
        return [
            path("new/", own(keys.AddSigningKey.as_view()), name="updates_signingkey_new"),
            path(
                "<int:pk>/delete-page/",
                own(keys.DeleteSigningKey.as_view()),
                name="updates_signingkey_delete_page",
            ),
            *super().get_urls(),
        ]
