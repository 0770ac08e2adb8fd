"""What was done to those who may log in, and to their groups, for the audit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.forms import ModelForm

from portal.core import audit
from portal.core.actors import Actor

Account = User | Group


def note_saved(account: Account, form: ModelForm[Any], *, actor: Actor, is_new: bool) -> None:
    """On record: who was added, or which fields were changed from what to what. A form that changed nothing leaves nothing."""
    changes = changes_in(form)
    if is_new or changes:
        _note(account, "create" if is_new else "change", actor=actor, data=changes)


def note_deleted(accounts: Iterable[Account], *, actor: Actor) -> None:
    """On record while they still are there."""
    for account in accounts:
        _note(account, "delete", actor=actor, data={})


def note_password(user: User, *, actor: Actor) -> None:
    """On record that it is another one, or none, and never which."""
    usable = user.has_usable_password()
    _note(user, "change_password", actor=actor, data={"can_log_in_by_it": usable})


def changes_in(form: ModelForm[Any]) -> dict[str, Any]:
    """{"field": [before, after]}, and of what there are many of {"added": [...], "removed": [...]}. Nothing of passwords."""
    changes: dict[str, Any] = {}
    for field in form.changed_data:
        if "password" in field:
            continue
        old, new = form.initial.get(field), form.cleaned_data[field]
        if isinstance(new, QuerySet):
            before, after = {str(row) for row in old or ()}, {str(row) for row in new}
            changes[field] = {"added": sorted(after - before), "removed": sorted(before - after)}
        else:
            changes[field] = [_plain(old), _plain(new)]
    return changes


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool) else str(value)


def _note(account: Account, verb: str, *, actor: Actor, data: dict[str, Any]) -> None:
    word = "user" if isinstance(account, User) else "user_group"
    audit.record(actor=actor, action=f"{word}.{verb}", subject=account, data=data)
