"""The one way to write an AuditEvent."""

from __future__ import annotations

from typing import Any

import structlog
from django.db import models

from portal.core import clock
from portal.core.actors import Actor
from portal.core.models import AuditEvent


def record(
    *,
    actor: Actor,
    action: str,
    subject: models.Model,
    reason: str = "",
    data: dict[str, Any] | None = None,
) -> AuditEvent:
    """The act is on record, in the transaction of the act itself. `data` never holds a secret."""
    return AuditEvent.objects.create(
        at=clock.now(),
        actor_id=actor.id,
        actor=actor.name,
        action=action,
        subject_type=subject._meta.label_lower,
        subject_id=str(subject.pk),
        subject=str(subject)[:300],
        reason=reason,
        data=data or {},
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
    )
