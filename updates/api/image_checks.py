"""Checks of module images on instances, in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from portal.core.rest.once import once
from portal.core.rest.order import order_in
from portal.core.rest.paging import LONGEST_PAGE
from portal.core.rest.permissions import actor_in
from updates.api.checks import FindingSerializer
from updates.api.names import NamedInstance
from updates.models import ImageCheck, Instance
from updates.services.image_checks import MOST, image_checks, request_image_checks, why_stale
from updates.services.module_input import LONGEST_IMAGE


class ImageCheckSerializer(serializers.ModelSerializer[ImageCheck]):
    instance = NamedInstance()  # type: ignore[assignment]
    findings = FindingSerializer(many=True)
    stale = serializers.SerializerMethodField(
        help_text="Why it is not to be relied on any more; empty while it is."
    )
    requested_by = serializers.CharField(source="requested_by_name")

    class Meta:
        model = ImageCheck
        fields = (
            "id", "image", "instance", "verdict", "findings", "digest", "installed", "stale",
            "requested_by", "requested_at", "checked_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_stale(self, check: ImageCheck) -> str:
        return why_stale(check)


class ImageChecksOrder(serializers.Serializer[dict[str, Any]]):
    image = serializers.CharField(max_length=LONGEST_IMAGE)
    instances = serializers.SlugRelatedField(
        slug_field="name",
        queryset=Instance.objects.select_related("module"),
        many=True,
        help_text=f"Their names, at most {MOST}.",
    )


class ImageChecksAsked(serializers.Serializer[dict[str, Any]]):
    requested = serializers.IntegerField(help_text="How many instances are being checked.")
    checks = ImageCheckSerializer(many=True, help_text=f"The first {LONGEST_PAGE} of them.")


class ImageChecks(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[ImageCheck]):
    """Whether a module image would fit instances: one check for each, replaced by the next one. It has no effect there."""

    queryset = image_checks()
    serializer_class = ImageCheckSerializer
    filterset_fields = ("image", "instance", "instance__name", "verdict")
    ordering = ("-requested_at", "-id")
    lookup_value_converter = "int"

    @extend_schema(request=ImageChecksOrder, responses={202: ImageChecksAsked})
    @once
    def create(self, request: Request) -> Response:
        """Check instances. The verdict is `waiting` until each is done: read the list again."""
        order = order_in(request, ImageChecksOrder)
        asked = request_image_checks(**order, actor=actor_in(request))
        first = self.get_queryset().filter(pk__in=[check.pk for check in asked[:LONGEST_PAGE]])
        shown = self.get_serializer(first, many=True).data
        answer = {"requested": len(asked), "checks": shown}
        return Response(answer, status=status.HTTP_202_ACCEPTED)
