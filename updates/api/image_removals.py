"""Orders to remove images from the engines of devices, in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.api.choice import MeantChoiceSerializer, open_devices_of
from devices.services.bulk import require_meant
from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import order_in
from portal.core.rest.permissions import actor_in
from updates.api.names import NamedDevice
from updates.models import ImageRemoval, ImageRemovalPart
from updates.services.local_images import MOST, REMOVE, reach_of, request_removal

LONGEST_NAME = 400


class ImageRemovalPartSerializer(serializers.ModelSerializer[ImageRemovalPart]):
    """One device. `outcomes` are rows of image, word (`removed`, `absent`, `in_use`, `failed`) and sentence.

    `in_use` is what a container uses, and what a way back holds.
    """

    device = NamedDevice()
    outcomes = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))

    class Meta:
        model = ImageRemovalPart
        fields = ("device", "outcomes", "error", "finished_at")
        read_only_fields = fields


class ImageRemovalSerializer(serializers.ModelSerializer[ImageRemoval]):
    references = serializers.ListField(child=serializers.CharField())
    requested_by = serializers.CharField(source="requested_by_name")

    class Meta:
        model = ImageRemoval
        fields = ("id", "references", "reason", "requested_by", "created_at")
        read_only_fields = fields


class ImageRemovalDetailSerializer(ImageRemovalSerializer):
    """A device is over when its `finished_at` says so; `error` is why nothing more could be done there."""

    devices = ImageRemovalPartSerializer(source="parts", many=True)

    class Meta:
        model = ImageRemoval
        fields = (*ImageRemovalSerializer.Meta.fields, "devices")
        read_only_fields = fields


class NewImageRemoval(MeantChoiceSerializer):
    references = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_NAME),
        max_length=MOST,
        help_text="Names of images, or their ids (sha256:…).",
    )


class ImageRemovals(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[ImageRemoval]):
    """Orders to remove images from engines, newest first."""

    queryset = ImageRemoval.objects.all()
    ordering = ("-created_at", "-id")
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[ImageRemoval]:
        """A list is no place for what became of each device."""
        found = super().get_queryset()
        if self.action == "list":
            return found
        parts = ImageRemovalPart.objects.select_related("device").order_by("pk")
        return found.prefetch_related(Prefetch("parts", parts))

    def get_serializer_class(self) -> type[ImageRemovalSerializer]:
        return ImageRemovalSerializer if self.action == "list" else ImageRemovalDetailSerializer

    @extend_schema(request=NewImageRemoval, responses={201: ImageRemovalDetailSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Have workers remove them, never by force, where one of them is: read the order again for what became of each."""
        actor = actor_in(request)
        actor.require(REMOVE)
        given: dict[str, Any] = order_in(request, NewImageRemoval)
        devices = open_devices_of(given, actor=actor)
        count = len(reach_of(given["references"], devices).devices)
        require_meant(count=count, said=given["count"], how='send it as "count"')
        removal = request_removal(
            references=given["references"], devices=devices, actor=actor, reason=given["reason"]
        )
        shown = self.get_serializer(self.get_queryset().get(pk=removal.pk))
        return created(shown.data, route="image-removals", request=request)
