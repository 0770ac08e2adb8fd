"""Update Modules in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.api.choice import ChoiceSerializer, open_devices_of
from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import order_in
from portal.core.rest.parsers import UploadParser
from portal.core.rest.permissions import actor_in
from updates.api.checks import FindingSerializer
from updates.api.names import NamedDevice
from updates.models import ModuleCheck, UpdateModule
from updates.services.artifacts import upload_update_module
from updates.services.module_checks import request_module_checks


class UpdateModuleSerializer(serializers.ModelSerializer[UpdateModule]):
    uploaded_by = serializers.CharField(
        source="uploaded_by.username", allow_null=True, default=None
    )

    class Meta:
        model = UpdateModule
        fields = ("id", "name", "version", "sha256", "size", "notes", "uploaded_by", "uploaded_at")
        read_only_fields = fields


class ModuleCheckSerializer(serializers.ModelSerializer[ModuleCheck]):
    device = NamedDevice()
    findings = FindingSerializer(many=True)

    class Meta:
        model = ModuleCheck
        fields = (
            "device",
            "verdict",
            "findings",
            "requested_by_name",
            "requested_at",
            "checked_at",
        )
        read_only_fields = fields


class ModuleChecksAsked(serializers.Serializer[dict[str, int]]):
    requested = serializers.IntegerField(help_text="How many devices are being looked at.")


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


class UpdateModuleChecks(ListModelMixin, GenericViewSet[ModuleCheck]):
    """Whether an Update Module would work on devices: its interpreter, its syntax, its answers. Nothing is installed."""

    queryset = ModuleCheck.objects.select_related("device")
    serializer_class = ModuleCheckSerializer
    filterset_fields = ("device", "verdict")
    ordering = ("id",)

    def get_queryset(self) -> QuerySet[ModuleCheck]:
        return super().get_queryset().filter(module=self._module())

    @extend_schema(request=ChoiceSerializer, responses={202: ModuleChecksAsked})
    @once
    def create(self, request: Request, **_path: object) -> Response:
        """Look at it on devices. The verdict is `waiting` until each is done: read the list again."""
        module = self._module()
        actor, order = actor_in(request), order_in(request, ChoiceSerializer)
        devices = open_devices_of(order, actor=actor)
        checks = request_module_checks(module=module, devices=devices, actor=actor)
        return Response({"requested": len(checks)}, status=status.HTTP_202_ACCEPTED)

    def _module(self) -> UpdateModule:
        actor_in(self.request).require("updates.view_updatemodule")
        return get_object_or_404(UpdateModule, pk=self.kwargs["module"])
