"""Orders that instances get a module image, in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in
from portal.core.rest.permissions import actor_in
from updates.api.deployments import CancelledSerializer, CountsSerializer
from updates.api.names import NamedInstance
from updates.models import ModuleOrder, Upgrade
from updates.progress import counts
from updates.services.module_bulk import require_all_meant, update_modules
from updates.services.module_input import (
    HOW_TO_MEAN,
    LONGEST_IMAGE,
    LONGEST_REASON,
    read_bulk,
    read_count,
    read_order,
)
from updates.services.module_updates import (
    ORDER,
    cancel_module_order,
    order_module,
    require_instances_meant,
)
from updates.services.repositories import catalogue


class InstanceReportSerializer(serializers.ModelSerializer[Upgrade]):
    """What became of one instance."""

    instance = NamedInstance()  # type: ignore[assignment]
    upgrade = serializers.UUIDField(source="id")

    class Meta:
        model = Upgrade
        fields = ("instance", "upgrade", "state", "outcome", "unchanged", "progress", "error")
        read_only_fields = fields


class LeftOutInstanceSerializer(serializers.Serializer[dict[str, str]]):
    instance = serializers.CharField()  # type: ignore[assignment]
    reason = serializers.CharField()


class ModuleOrderSerializer(serializers.ModelSerializer[ModuleOrder]):
    requested_by = serializers.CharField(source="requested_by_name")

    class Meta:
        model = ModuleOrder
        fields = (
            "id", "image", "force", "canary", "stops_at_failure", "reason", "requested_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields


class ModuleOrderDetailSerializer(ModuleOrderSerializer):
    counts = serializers.SerializerMethodField()
    instances = serializers.SerializerMethodField(help_text="What became of each, in their order.")
    left_out = serializers.SerializerMethodField(help_text="Who got no upgrade, and why.")

    class Meta:
        model = ModuleOrder
        fields = (*ModuleOrderSerializer.Meta.fields, "counts", "instances", "left_out")
        read_only_fields = fields

    @extend_schema_field(CountsSerializer)
    def get_counts(self, order: ModuleOrder) -> dict[str, Any]:
        return dict(CountsSerializer(counts(order)).data)

    @extend_schema_field(InstanceReportSerializer(many=True))
    def get_instances(self, order: ModuleOrder) -> list[dict[str, Any]]:
        rows = order.upgrades.select_related("instance").defer("plan").order_by("created_at", "id")
        return list(InstanceReportSerializer(rows, many=True).data)

    @extend_schema_field(LeftOutInstanceSerializer(many=True))
    def get_left_out(self, order: ModuleOrder) -> list[dict[str, str]]:
        return [{"instance": name, "reason": reason} for name, reason in order.left_out]


def _count_field() -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False, help_text="How many instances would get it; needed for more than 100."
    )


class UpdateModuleOrderSerializer(serializers.Serializer[dict[str, Any]]):
    """The shape of NethServer's `update-module`, for the description: `read_order` reads it."""

    module_url = serializers.CharField(max_length=LONGEST_IMAGE)
    instances = serializers.ListField(child=serializers.CharField(), help_text="Their names.")
    force = serializers.BooleanField(
        default=False,
        help_text="Pull what is there, and run the scripts of the version that is there.",
    )
    reason = serializers.CharField(
        required=False, max_length=LONGEST_REASON, help_text="Why: it is kept in the history."
    )
    canary = serializers.BooleanField(
        default=False, help_text="The first has to succeed before the others start."
    )
    stops_at_failure = serializers.BooleanField(
        default=False, help_text="Cancel those that have not begun when one fails."
    )
    override = serializers.BooleanField(
        default=False, help_text="Although the image is another module's, or a check refuses it."
    )
    count = _count_field()


class UpdateModulesSerializer(serializers.Serializer[dict[str, Any]]):
    """The shape of NethServer's `update-modules`, for the description: `read_bulk` reads it."""

    instances = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Only these; by name."
    )
    modules = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Only those of these; by name."
    )
    reason = serializers.CharField(required=False, max_length=LONGEST_REASON)
    canary = serializers.BooleanField(default=False)
    stops_at_failure = serializers.BooleanField(default=False)
    count = _count_field()


class ModuleOrders(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[ModuleOrder]):
    """Orders of one module image for instances, newest first."""

    queryset = ModuleOrder.objects.all()
    filterset_fields = ("image",)
    ordering = ("-created_at", "-id")
    lookup_value_converter = "uuid"

    def get_serializer_class(self) -> type[ModuleOrderSerializer]:
        return ModuleOrderSerializer if self.action == "list" else ModuleOrderDetailSerializer

    @extend_schema(
        request=UpdateModuleOrderSerializer, responses={201: ModuleOrderDetailSerializer}
    )
    @once
    def create(self, request: Request) -> Response:
        """Update instances: `update-module`. 400 lists each fault in `invalid`; 409 names the `holder` of a busy instance."""
        wanted, reason = read_order(request.data)
        actor = actor_in(request)
        actor.require(ORDER)
        require_instances_meant(wanted, said=read_count(request.data), how=HOW_TO_MEAN)
        order = order_module(wanted, actor=actor, reason=reason)
        return created(self.get_serializer(order).data, route="module-orders", request=request)

    @extend_schema(
        request=UpdateModulesSerializer, responses={200: ModuleOrderDetailSerializer(many=True)}
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    @once
    def available(self, request: Request) -> Response:
        """Update what repositories offer something newer for: `update-modules`. One order for each image; none: []."""
        bulk, reason = read_bulk(request.data)
        actor, packages = actor_in(request), catalogue()
        actor.require(ORDER)
        require_all_meant(bulk, packages, said=read_count(request.data), how=HOW_TO_MEAN)
        orders = update_modules(bulk, packages, actor=actor, reason=reason)
        return Response(ModuleOrderDetailSerializer(orders, many=True).data)

    @extend_schema(request=ReasonSerializer, responses=CancelledSerializer)
    @action(detail=True, methods=["post"])
    @once
    def cancel(self, request: Request, **_path: object) -> Response:
        """Cancel whatever of an order can still be cancelled."""
        reason = order_in(request, ReasonSerializer)["reason"]
        count = cancel_module_order(order=self.get_object(), actor=actor_in(request), reason=reason)
        return Response({"cancelled": count})
