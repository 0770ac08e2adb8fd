"""Logins in the admin: who has a second factor, whose logins failed. Deleting a row lets somebody in again."""

from __future__ import annotations

from axes.models import AccessAttempt
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from portal.core import audit
from portal.core.actors import actor_of
from portal.core.admin import ReadOnlyAdmin
from portal.second_factor.models import Authenticator
from portal.second_factor.services import remove


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin):
    """Deleting one is for somebody who has lost phone and recovery codes."""

    list_display = ("user", "confirmed", "created_at", "last_used_at")
    fields = list_display
    search_fields = ("user__username",)
    list_select_related = ("user",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(ModelAdmin.has_delete_permission(self, request, obj))

    def delete_model(self, request: HttpRequest, obj: Authenticator) -> None:
        remove(authenticator=obj, actor=actor_of(request.user))


@admin.register(AccessAttempt)
class FailedLoginAdmin(ReadOnlyAdmin):
    """Deleting one lets its user name be tried again from its address at once."""

    list_display = ("username", "ip_address", "failures_since_start", "attempt_time")
    fields = (*list_display, "user_agent")
    search_fields = ("username", "ip_address")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(ModelAdmin.has_delete_permission(self, request, obj))

    def delete_model(self, request: HttpRequest, obj: AccessAttempt) -> None:
        audit.record(actor=actor_of(request.user), action="login.unlock", subject=obj)
        obj.delete()
