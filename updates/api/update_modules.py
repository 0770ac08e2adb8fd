"""Update Modules in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import order_in
from portal.core.rest.parsers import UploadParser
from portal.core.rest.permissions import actor_in
from updates.models import UpdateModule
from updates.services.artifacts import upload_update_module


class UpdateModuleSerializer(serializers.ModelSerializer[UpdateModule]):
    uploaded_by = serializers.CharField(
        source="uploaded_by.username", allow_null=True, default=None
    )

    class Meta:
        model = UpdateModule
        fields = ("id", "name", "version", "sha256", "size", "notes", "uploaded_by", "uploaded_at")
        read_only_fields = fields


class UpdateModuleUploadSerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField(max_length=100, help_text="The payload type that it handles.")
    file = serializers.FileField(allow_empty_file=True, help_text="The script, at most 1 MiB.")
    notes = serializers.CharField(max_length=2000, default="", allow_blank=True)


class UpdateModules(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[UpdateModule]):
    """Handler scripts for payload types, newest first. Devices get the newest version of each name."""

    queryset = UpdateModule.objects.select_related("uploaded_by")
    serializer_class = UpdateModuleSerializer
    filterset_fields = ("name",)
    ordering = ("-id",)
    lookup_value_converter = "int"
    parser_classes = (UploadParser,)

    @extend_schema(request=UpdateModuleUploadSerializer, responses={201: UpdateModuleSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Upload a new version. The very content of the newest version is that version again."""
        order = order_in(request, UpdateModuleUploadSerializer)
        module = upload_update_module(actor=actor_in(request), **order)
        return created(self.get_serializer(module).data, route="update-modules", request=request)
