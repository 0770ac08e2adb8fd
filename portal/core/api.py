"""The audit in the API: read only."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.viewsets import ReadOnlyModelViewSet

from portal.core.models import AuditEvent
from portal.core.queries import AuditFilter


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    class Meta:
        model = AuditEvent
        fields = (
            "id", "at", "actor_id", "actor", "action", "subject_type", "subject_id", "subject",
            "reason", "data", "request_id",
        )  # fmt: skip


class AuditEvents(ReadOnlyModelViewSet[AuditEvent]):
    """Who did what, when and why, newest first."""

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    filterset_class = AuditFilter
    ordering = ("-at", "-id")
    lookup_value_converter = "uuid"
