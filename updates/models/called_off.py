"""What an order to many says of the wish that nothing more of it happens."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class CanBeCalledOff(models.Model):
    """Whoever wants all of it cancelled, since when, and when each of its upgrades had heard of it (`cancel_done_at`).

    What was ordered before that wish and has not begun does not begin any more.
    """

    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_requested_by = models.CharField(max_length=150, blank=True, editable=False)
    cancel_done_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True
        indexes = [
            models.Index(
                fields=["cancel_requested_at"],
                condition=Q(cancel_requested_at__isnull=False, cancel_done_at=None),
                name="%(class)s_called_off",
            ),
        ]

    @property
    def is_being_cancelled(self) -> bool:
        """Some of its upgrades may not have heard of it yet."""
        return self.cancel_requested_at is not None and self.cancel_done_at is None
