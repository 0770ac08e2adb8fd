"""What every edit of a plain row has in common: a permission, and a record of what it changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Model

from portal.core.actors import Actor
from portal.core.fields import EncryptedTextField


def require_save(row: Model, *, actor: Actor) -> None:
    """Nothing, or NotPermitted: adding and changing are permissions of their own for each table."""
    effect = "add" if row._state.adding else "change"
    actor.require(f"{row._meta.app_label}.{effect}_{row._meta.model_name}")


def changes_of(row: Model, *, fields: Iterable[str]) -> dict[str, Any]:
    """What saving `row` would change, for the audit: {"field": [before, after]}; of a secret only that it changes."""
    stored = None if row._state.adding else type(row)._default_manager.filter(pk=row.pk).first()
    return differences(stored, row, fields=fields)


def differences(before: Model | None, after: Model, *, fields: Iterable[str]) -> dict[str, Any]:
    """The same for two rows at hand. A row that was not there before had nothing."""
    changes: dict[str, Any] = {}
    secrets = {row.name for row in after._meta.fields if isinstance(row, EncryptedTextField)}
    for field in fields:
        old, new = _value(before, field), _value(after, field)
        if old == new or (before is None and new in ("", None, {})):
            continue
        if field in secrets:
            changes[field] = "changed"
        elif isinstance(new, dict):
            changes |= _by_key(field, old or {}, new)
        else:
            changes[field] = [old, new]
    return changes


def _by_key(field: str, old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{field}.{key}": [old.get(key), new.get(key)]
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    }


def _value(row: Model | None, field: str) -> Any:  # noqa: ANN401 - whatever the field holds
    if row is None:
        return None
    value = getattr(row, field)
    return str(value) if isinstance(value, Model) else value
