"""Devices in the API."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.core.files.base import File
from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices import services
from devices.models import Device
from devices.queries import DeviceFilter
from devices.services.csv_table import MOST_BYTES
from devices.services.device_files import devices_csv
from devices.services.enrolment import decommission
from devices.services.imports import Preview, Verdict, import_devices, preview_import
from portal.core import clock
from portal.core.exports import as_file
from portal.core.rest.created import Creates
from portal.core.rest.files import AnyAccept
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.paging import LONGEST_PAGE
from portal.core.rest.parsers import UploadParser
from portal.core.rest.permissions import actor_in

ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")
MOST_ATTRIBUTES = 200


class DeviceSerializer(serializers.ModelSerializer[Device]):
    """`host_key` is the pinned one; `offered_host_key` waits for somebody to confirm it."""

    attributes = serializers.DictField(
        child=serializers.CharField(max_length=1000, allow_blank=True),
        required=False,
        help_text="Inventory: what the device said of itself, and what people added.",
    )
    provides = serializers.DictField(
        child=serializers.CharField(),
        read_only=True,
        help_text="What is installed, as Mender means it.",
    )
    artifact_name = serializers.CharField(
        read_only=True, help_text="What is installed, by name; empty when nobody knows."
    )

    class Meta:
        model = Device
        fields = (
            "id", "name", "device_type", "driver", "host", "port", "credential", "root",
            "attributes", "provides", "artifact_name", "host_key", "offered_host_key",
            "last_seen", "unreachable_reason", "created_at",
        )  # fmt: skip
        read_only_fields = ("host_key", "offered_host_key", "last_seen", "unreachable_reason")
        extra_kwargs: ClassVar[dict[str, dict[str, Any]]] = {
            "port": {"min_value": 1, "max_value": 65535}
        }

    def validate_attributes(self, attributes: dict[str, str]) -> dict[str, str]:
        if len(attributes) > MOST_ATTRIBUTES:
            raise serializers.ValidationError(f"At most {MOST_ATTRIBUTES} of them.")
        for name in attributes:
            if not ATTRIBUTE.fullmatch(name):
                raise serializers.ValidationError(f"{name[:100]!r} is no name for an attribute.")
        return attributes

    def create(self, validated_data: dict[str, Any]) -> Device:
        return services.save_device(
            device=Device(**validated_data), actor=actor_in(self.context["request"])
        )

    def update(self, instance: Device, validated_data: dict[str, Any]) -> Device:
        for field, value in validated_data.items():
            setattr(instance, field, value)
        return services.save_device(device=instance, actor=actor_in(self.context["request"]))


class HostKeySerializer(serializers.Serializer[dict[str, Any]]):
    key = serializers.CharField(
        max_length=20_000, help_text="The device's `offered_host_key`, as you saw it."
    )


class ImportPreviewSerializer(serializers.Serializer[dict[str, Any]]):
    file = serializers.FileField(
        allow_empty_file=True, help_text="CSV with a header; `devices/export` gives one."
    )


class ImportSerializer(ImportPreviewSerializer):
    reason = serializers.CharField(max_length=2000, help_text="Why: it is kept in the history.")


class ImportRowSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    name = serializers.CharField()
    problems = serializers.ListField(child=serializers.CharField())


class ImportCounts(serializers.Serializer[dict[str, int]]):
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    wrong = serializers.IntegerField()


class ImportedSerializer(serializers.Serializer[dict[str, Any]]):
    counts = ImportCounts(help_text="How many rows of the file are what.")
    notes = serializers.ListField(child=serializers.CharField())
    wrong = ImportRowSerializer(many=True, help_text=f"The first {LONGEST_PAGE} of them.")


class Devices(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Creates,
    mixins.UpdateModelMixin,
    GenericViewSet[Device],
):
    """What we update."""

    queryset = Device.objects.all()
    serializer_class = DeviceSerializer
    filterset_class = DeviceFilter
    route = "devices"
    ordering = ("name",)
    lookup_value_converter = "int"
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Delete a device that the history does not name."""
        reason = words_in(request, ReasonSerializer)["reason"]
        services.delete_device(device=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=DeviceSerializer)
    @action(detail=True, methods=["post"])
    def refresh(self, request: Request, **_path: object) -> Response:
        """Ask the device who it is. When it cannot be reached, `unreachable_reason` says why."""
        device = services.refresh_device(device=self.get_object(), actor=actor_in(request))
        return Response(self.get_serializer(device).data)

    @extend_schema(request=HostKeySerializer, responses=DeviceSerializer)
    @action(detail=True, methods=["post"], url_path="confirm-host-key")
    def confirm_host_key(self, request: Request, **_path: object) -> Response:
        """Trust the key that the device showed: from now on only the machine that holds it is this device."""
        order = order_in(request, HostKeySerializer)
        device = services.confirm_host_key(
            device=self.get_object(), key=order["key"], actor=actor_in(request)
        )
        return Response(self.get_serializer(device).data)

    @extend_schema(request=ReasonSerializer, responses=DeviceSerializer)
    @action(detail=True, methods=["post"])
    def decommission(self, request: Request, **_path: object) -> Response:
        """Forget the keys of a device that pulls, and end what was ordered for it; it and its history stay."""
        device, reason = self.get_object(), order_in(request, ReasonSerializer)["reason"]
        decommission(device=device, actor=actor_in(request), reason=reason)
        return Response(self.get_serializer(device).data)

    @extend_schema(responses={(200, "text/csv"): str})
    @action(detail=False, content_negotiation_class=AnyAccept, pagination_class=None)
    def export(self, request: Request) -> StreamingHttpResponse:
        """The devices, or what the filter finds of them, as a CSV file that `devices/import` takes back."""
        found = self.filter_queryset(self.get_queryset())
        return as_file(devices_csv(found), name=f"devices {clock.now():%Y-%m-%d}", form="csv")

    @extend_schema(request=ImportSerializer, responses=ImportedSerializer)
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[UploadParser])
    @once
    def import_file(self, request: Request) -> Response:
        """Add and change devices as a CSV file says: all of it, or nothing when one row is wrong."""
        actor = actor_in(request)
        actor.require("devices.add_device")
        order = order_in(request, ImportSerializer)
        content = _read_limited(order["file"])
        return Response(
            import_as_json(import_devices(content=content, actor=actor, reason=order["reason"]))
        )

    @extend_schema(request=ImportPreviewSerializer, responses=ImportedSerializer)
    @action(
        detail=False, methods=["post"], url_path="import/preview", parser_classes=[UploadParser]
    )
    def preview_import(self, request: Request) -> Response:
        """What an import would do, and which rows are wrong, without doing it."""
        actor = actor_in(request)
        actor.require("devices.add_device")
        content = _read_limited(order_in(request, ImportPreviewSerializer)["file"])
        return Response(import_as_json(preview_import(content=content, actor=actor)))


def _read_limited(file: File[bytes]) -> bytes:
    """As much of the file as shows that it is too large."""
    return bytes(file.read(MOST_BYTES + 1))


def import_as_json(preview: Preview) -> dict[str, Any]:
    """What the import does, or would do."""
    wrong = preview.of(Verdict.WRONG)[:LONGEST_PAGE]
    return {
        "counts": preview.counts,
        "notes": preview.notes,
        "wrong": ImportRowSerializer(wrong, many=True).data,
    }
