"""Deployments in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.api.choice import ChoiceSerializer, open_devices_of, selection_of
from devices.models import Device
from devices.services.bulk import MEANT_ABOVE, require_meant
from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in
from portal.core.rest.paging import LONGEST_PAGE
from portal.core.rest.permissions import actor_in
from updates.api.names import NamedArtifact, NamedDevice, NamedRelease
from updates.api.what import WhatSerializer
from updates.models import Deployment
from updates.progress import counts
from updates.services.deployments import (
    Preview,
    cancel_deployment,
    deploy_artifact,
    deploy_release,
    preview_deployment,
    preview_release,
)


class LeftOutSerializer(serializers.Serializer[dict[str, str]]):
    device = serializers.CharField()
    reason = serializers.CharField()


class OutcomeCounts(serializers.Serializer[dict[str, int]]):
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    rolled_back = serializers.IntegerField()
    broken = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class CountsSerializer(serializers.Serializer[Any]):
    """How many upgrades wait, run, and ended how."""

    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    outcomes = OutcomeCounts()
    total = serializers.IntegerField()
    is_over = serializers.BooleanField()


class DeploymentSerializer(serializers.ModelSerializer[Deployment]):
    release = NamedRelease()
    artifact = NamedArtifact(
        allow_null=True,
        help_text="Where only this one was ordered; null: each device gets that which fits it.",
    )
    requested_by = serializers.CharField(source="requested_by_name")

    class Meta:
        model = Deployment
        fields = (
            "id", "name", "release", "artifact", "reason", "requested_by", "created_at", "left_out_count",
        )  # fmt: skip
        read_only_fields = fields


class DeploymentDetailSerializer(DeploymentSerializer):
    selection = serializers.DictField(help_text="How the devices were chosen.")
    left_out = serializers.SerializerMethodField(
        help_text=f"The first {LONGEST_PAGE} devices that were chosen and got no upgrade."
    )
    counts = serializers.SerializerMethodField()

    class Meta:
        model = Deployment
        fields = (*DeploymentSerializer.Meta.fields, "selection", "left_out", "counts")
        read_only_fields = fields

    @extend_schema_field(LeftOutSerializer(many=True))
    def get_left_out(self, deployment: Deployment) -> list[dict[str, str]]:
        return [
            {"device": device, "reason": reason}
            for device, reason in deployment.left_out[:LONGEST_PAGE]
        ]

    @extend_schema_field(CountsSerializer)
    def get_counts(self, deployment: Deployment) -> dict[str, Any]:
        return dict(CountsSerializer(counts(deployment)).data)


class DeploymentPreviewSerializer(WhatSerializer, ChoiceSerializer):
    force = serializers.BooleanField(
        default=False, help_text="Install even where it is installed already."
    )


class DeploymentOrderSerializer(DeploymentPreviewSerializer):
    reason = serializers.CharField(max_length=2000, help_text="Why: it is kept in the history.")
    name = serializers.CharField(
        max_length=200, default="", allow_blank=True, help_text="The artifact's name if left out."
    )
    count = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        help_text=f"How many devices would get an upgrade, by the preview; has to be said for more than {MEANT_ABOVE}.",
    )


class PreviewPartSerializer(serializers.Serializer[dict[str, Any]]):
    count = serializers.IntegerField()
    first = NamedDevice(many=True, help_text=f"The first {LONGEST_PAGE} of them.")


class PreviewLeftOutSerializer(serializers.Serializer[dict[str, Any]]):
    count = serializers.IntegerField()
    first = LeftOutSerializer(many=True, help_text=f"The first {LONGEST_PAGE} of them.")


class PreviewSerializer(serializers.Serializer[dict[str, Any]]):
    takes = PreviewPartSerializer(help_text="Devices that would get an upgrade.")
    unchanged = PreviewPartSerializer(help_text="Devices that have it already.")
    left_out = PreviewLeftOutSerializer(help_text="Devices that it does not fit.")


class CancelledSerializer(serializers.Serializer[dict[str, int]]):
    cancelled = serializers.IntegerField(help_text="How many upgrades a cancel is on its way to.")


class Deployments(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Deployment]):
    """Orders to many devices, newest first."""

    queryset = Deployment.objects.select_related("artifact", "release")
    filterset_fields = ("release", "artifact")
    ordering = ("-created_at", "-id")
    lookup_value_converter = "uuid"

    def get_serializer_class(self) -> type[DeploymentSerializer]:
        return DeploymentSerializer if self.action == "list" else DeploymentDetailSerializer

    @extend_schema(request=DeploymentOrderSerializer, responses={201: DeploymentDetailSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Deploy a release or an artifact: every chosen device that it fits gets an upgrade of its own."""
        order = order_in(request, DeploymentOrderSerializer)
        actor = actor_in(request)
        actor.require("updates.deploy_artifact")
        devices = open_devices_of(order, actor=actor)
        _require_meant(order, devices)
        words: dict[str, Any] = {
            "devices": devices,
            "actor": actor,
            "reason": order["reason"],
            "name": order["name"],
            "selection": selection_of(order),
            "force": order["force"],
        }
        if "release" in order:
            deployment = deploy_release(release=order["release"], **words)
        else:
            deployment = deploy_artifact(artifact=order["artifact"], **words)
        return created(self.get_serializer(deployment).data, route="deployments", request=request)

    @extend_schema(request=DeploymentPreviewSerializer, responses=PreviewSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """What a deployment would do, without doing it."""
        actor = actor_in(request)
        actor.require("updates.deploy_artifact")
        order = order_in(request, DeploymentPreviewSerializer)
        return Response(preview_as_json(_preview(order, open_devices_of(order, actor=actor))))

    @extend_schema(request=ReasonSerializer, responses=CancelledSerializer)
    @action(detail=True, methods=["post"])
    @once
    def cancel(self, request: Request, **_path: object) -> Response:
        """Cancel whatever of a deployment can still be cancelled."""
        reason = order_in(request, ReasonSerializer)["reason"]
        cancelled = cancel_deployment(
            deployment=self.get_object(), actor=actor_in(request), reason=reason
        )
        return Response({"cancelled": cancelled})


def _require_meant(order: dict[str, Any], devices: QuerySet[Device]) -> None:
    """Nothing, or Refused: an order that many devices would get, and `count` is not their number."""
    if devices.count() > MEANT_ABOVE:
        takes = _preview(order, devices).takes
        require_meant(count=len(takes), said=order["count"], how='send it as "count"')


def _preview(order: dict[str, Any], chosen: QuerySet[Device]) -> Preview:
    devices, force = chosen.order_by("name"), order["force"]
    if "release" in order:
        return preview_release(release=order["release"], devices=devices, force=force)
    return preview_deployment(artifact=order["artifact"], devices=devices, force=force)


def preview_as_json(preview: Preview) -> dict[str, Any]:
    """The preview: how many devices in each part, and the first of them."""
    left_out = [
        {"device": device.name, "reason": reason}
        for device, reason in preview.left_out[:LONGEST_PAGE]
    ]
    return {
        "takes": PreviewPartSerializer(_part(preview.takes)).data,
        "unchanged": PreviewPartSerializer(_part(preview.unchanged)).data,
        "left_out": {"count": len(preview.left_out), "first": left_out},
    }


def _part(devices: list[Device]) -> dict[str, Any]:
    return {"count": len(devices), "first": devices[:LONGEST_PAGE]}
