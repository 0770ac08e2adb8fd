"""Checks of an artifact in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet, prefetch_related_objects
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.api.choice import ChoiceSerializer, open_devices_of
from portal.core.rest.once import once
from portal.core.rest.order import order_in
from portal.core.rest.paging import LONGEST_PAGE
from portal.core.rest.permissions import actor_in
from updates.api.names import NamedDevice
from updates.models import Artifact, Check
from updates.services.checks import is_stale, request_checks


class FindingSerializer(serializers.Serializer[dict[str, Any]]):
    what = serializers.CharField(help_text="What was looked at.")
    ok = serializers.BooleanField()
    says = serializers.CharField(help_text="A sentence for an operator.")


class CheckSerializer(serializers.ModelSerializer[Check]):
    device = NamedDevice()
    findings = FindingSerializer(many=True)
    changes = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(allow_null=True)),
        help_text="What would change in the device's provides: [before, after], null for absent.",
    )
    stale = serializers.SerializerMethodField(
        help_text="Too old to rely on, or the device has something else by now."
    )

    class Meta:
        model = Check
        fields = (
            "id", "device", "verdict", "findings", "changes", "installed", "stale",
            "requested_by_name", "requested_at", "checked_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_stale(self, check: Check) -> bool:
        return is_stale(check)


class ChecksRequested(serializers.Serializer[dict[str, Any]]):
    requested = serializers.IntegerField(help_text="How many devices are being checked.")
    checks = CheckSerializer(many=True, help_text=f"The first {LONGEST_PAGE} of them.")


class ArtifactChecks(ListModelMixin, GenericViewSet[Check]):
    """Whether an artifact would fit devices, and what it would change there. A check has no effect on its device."""

    queryset = Check.objects.select_related("device")
    serializer_class = CheckSerializer
    filterset_fields = ("device", "verdict")
    ordering = ("id",)

    def get_queryset(self) -> QuerySet[Check]:
        return super().get_queryset().filter(artifact=self._artifact())

    @extend_schema(request=ChoiceSerializer, responses={202: ChecksRequested})
    @once
    def create(self, request: Request, **_path: object) -> Response:
        """Check devices. The verdict is `waiting` until each is done: read the list again."""
        artifact = self._artifact()
        actor, order = actor_in(request), order_in(request, ChoiceSerializer)
        devices = open_devices_of(order, actor=actor)
        checks = request_checks(artifact=artifact, devices=devices, actor=actor)
        first = checks[:LONGEST_PAGE]
        prefetch_related_objects(first, "device")
        shown = self.get_serializer(first, many=True).data
        answer = {"requested": len(checks), "checks": shown}
        return Response(answer, status=status.HTTP_202_ACCEPTED)

    def _artifact(self) -> Artifact:
        actor_in(self.request).require("updates.view_artifact")
        return get_object_or_404(Artifact, pk=self.kwargs["artifact"])
