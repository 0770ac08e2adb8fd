"""Reading the audit."""

from __future__ import annotations

import django_filters

from portal.core.models import AuditEvent


class AuditFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Words of the audit's query."""

    actor = django_filters.CharFilter()
    action = django_filters.CharFilter()
    subject_type = django_filters.CharFilter()
    subject_id = django_filters.CharFilter()
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = AuditEvent
        fields = ("actor", "action", "subject_type", "subject_id")
