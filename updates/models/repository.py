"""Where modules are published."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models


class Repository(models.Model):
    """An address with an index of modules. `index` is the last good one, of `fetched_at`: it stays when the next cannot be had.

    `error` is a sentence about the last fetch, if that failed, at `error_at`. A testing repository offers pre-releases like
    any other version. `asked_at` is when it was last decided to fetch.
    """

    name = models.CharField(
        max_length=100,
        unique=True,
        help_text="Of two repositories with the same module, the one whose name comes last counts.",
    )
    url = models.CharField(max_length=300, unique=True)
    is_enabled = models.BooleanField(default=True)
    is_testing = models.BooleanField(default=False)
    index = models.JSONField(null=True, editable=False)
    packages = models.PositiveIntegerField(default=0, editable=False)
    fetched_at = models.DateTimeField(null=True, editable=False)
    error = models.TextField(blank=True, editable=False)
    error_at = models.DateTimeField(null=True, editable=False)
    asked_at = models.DateTimeField(null=True, editable=False)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "repositories"
        permissions = [("fetch_repository", "Can have the index of a repository fetched")]

    def __str__(self) -> str:
        return self.name

    @property
    def answered_at(self) -> datetime | None:
        """When the last fetch ended, well or not."""
        ends = [at for at in (self.fetched_at, self.error_at) if at is not None]
        return max(ends, default=None)

    @property
    def is_being_fetched(self) -> bool:
        """Whether a worker has yet to fetch what was asked for."""
        if self.asked_at is None:
            return False
        return self.answered_at is None or self.answered_at < self.asked_at
