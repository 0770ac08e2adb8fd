"""One verb for many devices, in the API: ordered at once, carried out in pieces."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from devices.api.choice import MeantChoiceSerializer, open_devices_of
from devices.models import BulkOrder, DeviceGroup
from devices.services.bulk import Verb, order_bulk, require_meant
from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import order_in
from portal.core.rest.permissions import actor_in


class BulkOrderSerializer(serializers.ModelSerializer[BulkOrder]):
    """It is over when `finished_at` says so: `failures` names devices and reasons, for the first of those that failed."""

    failures = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))

    class Meta:
        model = BulkOrder
        fields = (
            "id", "verb", "group", "total", "done", "failed", "failures", "reason",
            "requested_by_name", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class NewBulkOrder(MeantChoiceSerializer):
    verb = serializers.ChoiceField(choices=Verb.choices)
    group = serializers.PrimaryKeyRelatedField(
        queryset=DeviceGroup.objects.all(),
        default=None,
        allow_null=True,
        help_text="Where they come into, or go out of.",
    )


class MaySeeDevices(IsAuthenticated):
    """An order is no more secret than its devices."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not super().has_permission(request, view):
            return False
        actor_in(request).require("devices.view_device")
        return True


class BulkOrders(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[BulkOrder]):
    """Orders to refresh, delete or regroup many devices."""

    queryset = BulkOrder.objects.defer("ids")
    permission_classes = (MaySeeDevices,)
    serializer_class = BulkOrderSerializer
    filterset_fields = ("verb", "group")
    ordering = ("-created_at", "-id")
    lookup_value_converter = "uuid"

    @extend_schema(request=NewBulkOrder, responses={201: BulkOrderSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Order it for the devices that are chosen now. What takes long is carried out by workers: read the order again."""
        actor = actor_in(request)
        given: dict[str, Any] = order_in(request, NewBulkOrder)
        devices = open_devices_of(given, actor=actor)
        require_meant(count=devices.count(), said=given["count"], how='send it as "count"')
        order = order_bulk(
            verb=Verb(given["verb"]),
            devices=devices,
            group=given["group"],
            actor=actor,
            reason=given["reason"],
        )
        return created(self.get_serializer(order).data, route="bulk-orders", request=request)
