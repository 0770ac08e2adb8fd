"""The ways to write AuditEvents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from django.db import models

from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import AuditEvent

BATCH = 1000


def record(
    *,
    actor: Actor,
    action: str,
    subject: models.Model,
    reason: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """The act is on record, in the transaction of the act itself. `data` never holds a secret."""
    event = _event(actor=actor, action=action, subject=subject, reason=reason, data=data or {})
    event.save(force_insert=True)
    return event


def record_all(
    *, actor: Actor, acts: Iterable[tuple[str, models.Model, dict[str, Any]]], reason: str = ""
) -> None:
    """The same for many acts at once, each with its action, subject and data."""
    AuditEvent.objects.bulk_create(
        (
            _event(actor=actor, action=action, subject=subject, reason=reason, data=data)
            for action, subject, data in acts
        ),
        batch_size=BATCH,
    )


def _event(
    *, actor: Actor, action: str, subject: models.Model, reason: str, data: dict[str, Any]
) -> AuditEvent:
    return AuditEvent(
        at=clock.now(),
        actor_id=actor.id,
        actor=actor.name,
        action=action,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        subject=str(subject)[:300],
        reason=reason,
        data=data,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )
