"""Releases in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.api.choice import ChoiceSerializer, open_devices_of
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.permissions import actor_in
from updates.models import Artifact, Release
from updates.services.checks import request_release_checks
from updates.services.releases import (
    LONGEST_NOTES,
    delete_release,
    edit_release,
    restore_release,
    tags_of,
    withdraw_release,
)


class ArtifactOfRelease(serializers.ModelSerializer[Artifact]):
    device_types = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Artifact
        fields = ("id", "device_types", "payload_type", "size", "is_signed", "uploaded_at")
        read_only_fields = fields


class ReleaseSerializer(serializers.ModelSerializer[Release]):
    """All artifacts of one name. A withdrawn one takes no new orders."""

    tags = serializers.SerializerMethodField()
    artifacts = ArtifactOfRelease(many=True)
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)

    class Meta:
        model = Release
        fields = (
            "id", "name", "notes", "tags", "artifacts", "withdrawn_at", "withdrawn_by",
            "withdrawn_reason", "created_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_tags(self, release: Release) -> list[str]:
        return tags_of(release)


class EditReleaseSerializer(serializers.Serializer[dict[str, Any]]):
    """What is left out stays as it is."""

    notes = serializers.CharField(max_length=LONGEST_NOTES, allow_blank=True, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=40), required=False)


class ChecksAsked(serializers.Serializer[dict[str, int]]):
    requested = serializers.IntegerField(help_text="How many devices are being checked.")


class Releases(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Release]):
    """What is deployed: artifacts of one name, of which each device gets the one that fits it."""

    queryset = Release.objects.select_related("created_by").prefetch_related("tags", "artifacts")
    serializer_class = ReleaseSerializer
    filterset_fields = {
        "name": ["exact"],
        "tags__word": ["exact"],
        "withdrawn_at": ["isnull"],
        "artifacts__payload_type": ["exact"],
    }
    ordering = ("-created_at", "-id")
    lookup_value_converter = "int"

    @extend_schema(request=EditReleaseSerializer, responses=ReleaseSerializer)
    def partial_update(self, request: Request, **_path: object) -> Response:
        """Change notes and tags."""
        actor = actor_in(request)
        actor.require("updates.change_release")
        given, release = order_in(request, EditReleaseSerializer), self.get_object()
        edit_release(
            release=release,
            notes=given.get("notes", release.notes),
            tags=given.get("tags", tags_of(release)),
            actor=actor,
        )
        return self._shown(release)

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Delete a release of which no device ever got anything, with its artifacts."""
        reason = words_in(request, ReasonSerializer)["reason"]
        delete_release(release=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=ReasonSerializer, responses=ReleaseSerializer)
    @action(detail=True, methods=["post"])
    @once
    def withdraw(self, request: Request, **_path: object) -> Response:
        """Take no new orders for it; what was ordered before goes on."""
        reason = order_in(request, ReasonSerializer)["reason"]
        return self._shown(
            withdraw_release(release=self.get_object(), actor=actor_in(request), reason=reason)
        )

    @extend_schema(request=ReasonSerializer, responses=ReleaseSerializer)
    @action(detail=True, methods=["post"])
    @once
    def restore(self, request: Request, **_path: object) -> Response:
        """Take orders for it again."""
        reason = order_in(request, ReasonSerializer)["reason"]
        return self._shown(
            restore_release(release=self.get_object(), actor=actor_in(request), reason=reason)
        )

    @extend_schema(request=ChoiceSerializer, responses={202: ChecksAsked})
    @action(detail=True, methods=["post"])
    @once
    def check(self, request: Request, **_path: object) -> Response:
        """Check devices, each against the artifact that is for it. The verdicts are with the artifacts."""
        actor, order = actor_in(request), order_in(request, ChoiceSerializer)
        devices = open_devices_of(order, actor=actor)
        checks = request_release_checks(release=self.get_object(), devices=devices, actor=actor)
        return Response({"requested": len(checks)}, status=status.HTTP_202_ACCEPTED)

    def _shown(self, release: Release) -> Response:
        return Response(self.get_serializer(self.get_queryset().get(pk=release.pk)).data)
