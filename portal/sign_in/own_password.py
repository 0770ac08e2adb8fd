"""A person's own password."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase

from portal.core.account_edits import note_password
from portal.core.actors import actor_of


def change_password(request: HttpRequest) -> HttpResponseBase:
    """Django's page for it; that it is another one by now is in the audit trail."""
    with transaction.atomic():
        before = User.objects.select_for_update().get(username=request.user.get_username())
        answer = admin.site.password_change(request)
        after = User.objects.get(pk=before.pk)
        if after.password != before.password:
            note_password(after, actor=actor_of(after))
    return answer
