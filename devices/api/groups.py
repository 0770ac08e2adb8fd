"""Device groups in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ModelViewSet

from devices import services
from devices.api.choice import id_list
from devices.api.devices import DeviceSerializer
from devices.models import Device, DeviceGroup
from devices.queries import DeviceFilter, devices_in
from portal.core.rest.created import Creates
from portal.core.rest.order import order_in
from portal.core.rest.permissions import actor_in


class DeviceGroupSerializer(serializers.ModelSerializer[DeviceGroup]):
    """A static group has `members`, a dynamic one a `filter` of the words of the device list's query."""

    filter = serializers.DictField(
        child=serializers.CharField(max_length=200), required=False, default=dict
    )

    class Meta:
        model = DeviceGroup
        fields = ("id", "name", "kind", "description", "filter", "signed_only", "created_at")

    def create(self, validated_data: dict[str, Any]) -> DeviceGroup:
        return services.save_group(
            group=DeviceGroup(**validated_data), actor=actor_in(self.context["request"])
        )

    def update(self, instance: DeviceGroup, validated_data: dict[str, Any]) -> DeviceGroup:
        for field, value in validated_data.items():
            setattr(instance, field, value)
        return services.save_group(group=instance, actor=actor_in(self.context["request"]))


class MembersSerializer(serializers.Serializer[dict[str, Any]]):
    add = id_list(required=False, of="devices that become members")
    remove = id_list(required=False, of="devices that are none any more")


class DeviceGroups(Creates, ModelViewSet[DeviceGroup]):
    """Many devices under one name."""

    queryset = DeviceGroup.objects.all()
    serializer_class = DeviceGroupSerializer
    route = "device-groups"
    ordering = ("name",)
    lookup_value_converter = "int"
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    def perform_destroy(self, instance: DeviceGroup) -> None:
        services.delete_group(group=instance, actor=actor_in(self.request))

    @extend_schema(request=MembersSerializer, responses=DeviceGroupSerializer)
    @action(detail=True, methods=["post"], url_path="change-members")
    def change_members(self, request: Request, **_path: object) -> Response:
        """Add devices to a static group, remove others."""
        order = order_in(request, MembersSerializer)
        group = services.change_members(
            group=self.get_object(),
            add=order.get("add", []),
            remove=order.get("remove", []),
            actor=actor_in(request),
        )
        return Response(self.get_serializer(group).data)


class DeviceGroupMembers(ListModelMixin, GenericViewSet[Device]):
    """The devices of a group: of a dynamic one, those that its filter finds now."""

    queryset = Device.objects.all()
    serializer_class = DeviceSerializer
    filterset_class = DeviceFilter
    ordering = ("name",)

    def get_queryset(self) -> QuerySet[Device]:
        actor_in(self.request).require("devices.view_devicegroup")
        return devices_in(get_object_or_404(DeviceGroup, pk=self.kwargs["group"]))
