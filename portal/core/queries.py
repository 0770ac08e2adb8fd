"""Reading the audit, and what lists of any kind ask."""

from __future__ import annotations

import django_filters
from django.db import connection
from django.db.models import Model, QuerySet

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


def words_in(model: type[Model], column: str) -> list[str]:
    """The different words in a column, in order. From word to word by the index, so the number of rows does not matter."""
    quote = connection.ops.quote_name
    word, table = quote(column), quote(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE words (word) AS (SELECT min({word}) FROM {table} UNION ALL"  # noqa: S608 - both are ours
            f" SELECT (SELECT min({word}) FROM {table} WHERE {word} > words.word) FROM words"
            f" WHERE words.word IS NOT NULL) SELECT word FROM words WHERE word IS NOT NULL"
        )
        return [row[0] for row in cursor.fetchall()]


EDITS = 20


def edits_of(subject: Model) -> QuerySet[AuditEvent]:
    """The newest acts of which this row was the subject."""
    return AuditEvent.objects.filter(
        subject_type=subject._meta.label_lower, subject_id=str(subject.pk)
    ).order_by("-at", "-id")[:EDITS]
