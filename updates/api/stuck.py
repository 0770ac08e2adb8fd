"""What does not move, in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from portal.core.rest.order import words_in
from updates.api.upgrades import UpgradeSerializer
from updates.models import Upgrade
from updates.queries import Standstill, explained, history, stuck_upgrades


class StuckWords(serializers.Serializer[dict[str, Any]]):
    kind = serializers.ChoiceField(
        choices=[(word.value, word.value) for word in Standstill],
        required=False,
        help_text="Only what does not move for this reason.",
    )


class StuckSerializer(serializers.Serializer[Any]):
    upgrade = UpgradeSerializer()
    kind = serializers.ChoiceField(choices=[(word.value, word.value) for word in Standstill])
    why = serializers.CharField(help_text="A sentence for an operator.")
    can_recover = serializers.BooleanField(help_text="Whether `recover` would help.")
    waits_for = serializers.UUIDField(
        source="waits_for.id",
        allow_null=True,
        default=None,
        help_text="The upgrade that has to end on the device first.",
    )


class StuckUpgrades(ListModelMixin, GenericViewSet[Upgrade]):
    """Upgrades that wait, run without a worker, or are in their state for too long; the oldest first."""

    queryset = history()
    serializer_class = StuckSerializer
    filter_backends = ()
    ordering = ("created_at", "id")

    def get_queryset(self) -> QuerySet[Upgrade]:
        kind = words_in(self.request, StuckWords).get("kind")
        return stuck_upgrades(*([Standstill(kind)] if kind else []))

    def paginate_queryset(self, queryset: Any) -> Any:  # noqa: ANN401 - as DRF has it
        return explained(super().paginate_queryset(queryset) or ())

    @extend_schema(parameters=[StuckWords])
    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        """What waits and for what, what runs and nobody holds it, what takes longer than its state may."""
        return super().list(request, *args, **kwargs)
