"""Counting what belongs to each row of a list, for the rows that are shown only."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, IntegerField, QuerySet, Subquery
from django.db.models.functions import Coalesce


def counted(rows: QuerySet[Any], *, by: str) -> Coalesce:
    """How many `rows` there are (they name the outer row); `by` is the column that they share."""
    grouped = rows.order_by().values(by).annotate(found=Count("pk")).values("found")
    return Coalesce(Subquery(grouped, output_field=IntegerField()), 0)
