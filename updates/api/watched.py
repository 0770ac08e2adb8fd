"""Watched containers in the API: watched, set, upgraded, told of newer versions."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.models import Device
from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in
from portal.core.rest.permissions import actor_in
from updates.api.names import NamedDevice, NamedInstance
from updates.api.upgrades import UpgradeDetailSerializer
from updates.models import ContainerCheck, WatchedContainer
from updates.services.container_checks import request_preflight, why_stale
from updates.services.container_desk import LATEST, order_upgrade
from updates.services.version_checks import (
    LONGEST_SNOOZE_DAYS,
    offer_version,
    request_version_check,
    skip_version,
    snooze,
)
from updates.services.watch_settings import SETTINGS, save_watched
from updates.services.watching import NewWatch, unwatch, watch


class DumpSerializer(serializers.Serializer[dict[str, Any]]):
    """A database beside the containers: `command` writes it to its output, `restore` reads `file` back."""

    container = serializers.CharField()
    command = serializers.ListField(child=serializers.CharField())
    file = serializers.CharField()
    restore = serializers.ListField(child=serializers.CharField())


class PreflightSerializer(serializers.ModelSerializer[ContainerCheck]):
    """`findings` are the things that were looked at; `stale` is why they are not to be relied on any more, or empty."""

    findings = serializers.ListField(child=serializers.DictField(), read_only=True)
    stale = serializers.SerializerMethodField()

    class Meta:
        model = ContainerCheck
        fields = (
            "image", "verdict", "findings", "requested_by_name", "requested_at", "checked_at", "stale",
        )  # fmt: skip

    def get_stale(self, check: ContainerCheck) -> str:
        return why_stale(check)


class WatchedSerializer(serializers.ModelSerializer[WatchedContainer]):
    """`newest` is the newest version that the registry was seen to have, at `answered_at`: what runs, if there is none newer."""

    instance = NamedInstance(read_only=True)  # type: ignore[assignment]
    device = NamedDevice(source="instance.device", read_only=True)
    version = serializers.CharField(source="instance.version", read_only=True)
    containers = serializers.ListField(
        child=serializers.CharField(), help_text="In the order in which they stop."
    )
    volumes = serializers.ListField(child=serializers.CharField(), help_text="With data.")
    hook = serializers.ListField(child=serializers.CharField(), help_text="Before a backup.")
    dumps = DumpSerializer(many=True)
    probes = serializers.ListField(child=serializers.DictField(), help_text="The health gate's.")
    skipped = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = WatchedContainer
        fields = (
            "id", "instance", "device", "version", "image", "image_id", "digest", "is_portal", "newest",
            "newest_digest", "notes_url", "asked_at", "answered_at", "error", "skipped", "snoozed_until",
            "unwatched_at", *SETTINGS,
        )  # fmt: skip
        read_only_fields = tuple(set(fields) - {*SETTINGS})

    def update(
        self, instance: WatchedContainer, validated_data: dict[str, Any]
    ) -> WatchedContainer:
        for field, value in validated_data.items():
            is_dumps = field == "dumps"
            setattr(instance, field, [dict(row) for row in value] if is_dumps else value)
        return save_watched(watched=instance, actor=actor_in(self.context["request"]))


class WatchSerializer(ReasonSerializer):
    device = serializers.PrimaryKeyRelatedField(queryset=Device.objects.all())
    containers = serializers.ListField(
        child=serializers.CharField(max_length=200), min_length=1,
        help_text="Names on the engine, as it was seen last; all of one image.",
    )  # fmt: skip
    image = serializers.CharField(
        max_length=300, default="", allow_blank=True, help_text="As it was seen, if empty."
    )
    name = serializers.CharField(
        max_length=100, default="", allow_blank=True, help_text="The first container's, if empty."
    )


class ContainerUpgradeSerializer(ReasonSerializer):
    version = serializers.CharField(
        max_length=300, default=LATEST, help_text="A tag, or `latest`: the newest that is known."
    )
    backup = serializers.BooleanField(default=True)
    force = serializers.BooleanField(default=False, help_text="Also if it is what runs already.")


class ContainerVersionSerializer(serializers.Serializer[dict[str, Any]]):
    version = serializers.CharField(max_length=100)
    reason = serializers.CharField(max_length=2000, default="", allow_blank=True)


class PreflightOrderSerializer(serializers.Serializer[dict[str, Any]]):
    version = serializers.CharField(max_length=300, default=LATEST)


class SnoozeSerializer(serializers.Serializer[dict[str, Any]]):
    days = serializers.IntegerField(
        min_value=0, max_value=LONGEST_SNOOZE_DAYS, help_text="0: no longer."
    )


class WatchedContainers(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    GenericViewSet[WatchedContainer],
):
    """Containers that the portal looks after."""

    queryset = WatchedContainer.objects.select_related("instance__device", "instance__module")
    serializer_class = WatchedSerializer
    filterset_fields = ("track", "is_portal", "instance__device", "instance__module")
    ordering = ("id",)
    lookup_value_converter = "int"
    http_method_names = ["get", "post", "patch", "head", "options"]

    @extend_schema(request=WatchSerializer, responses={201: WatchedSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Look after containers from now on. Nothing is done to them."""
        order = order_in(request, WatchSerializer)
        reason = order.pop("reason")
        watched = watch(NewWatch(**order), actor=actor_in(request), reason=reason)
        return created(
            self.get_serializer(watched).data, route="watched-containers", request=request
        )

    @extend_schema(request=ContainerUpgradeSerializer, responses={201: UpgradeDetailSerializer})
    @action(detail=True, methods=["post"])
    @once
    def upgrade(self, request: Request, **_path: object) -> Response:
        """Upgrade to a version, or downgrade. 409 names the `holder` while another upgrade is active."""
        order = order_in(request, ContainerUpgradeSerializer)
        upgrade = order_upgrade(watched=self.get_object(), actor=actor_in(request), **order)
        data = UpgradeDetailSerializer(upgrade, context=self.get_serializer_context()).data
        return created(data, route="upgrades", request=request)

    @extend_schema(request=PreflightOrderSerializer, responses={202: PreflightSerializer})
    @action(detail=True, methods=["post"])
    @once
    def check(self, request: Request, **_path: object) -> Response:
        """Have a worker look at what an upgrade to a version would find; see `preflight`."""
        version = order_in(request, PreflightOrderSerializer)["version"]
        check = request_preflight(
            watched=self.get_object(), version=version, actor=actor_in(request)
        )
        return Response(PreflightSerializer(check).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={200: PreflightSerializer, 204: None})
    @action(detail=True, methods=["get"])
    def preflight(self, _request: Request, **_path: object) -> Response:
        """What the last look found. 204 when nobody has looked yet."""
        check = ContainerCheck.objects.filter(watched=self.get_object()).first()
        if check is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return Response(PreflightSerializer(check).data)

    @extend_schema(request=None, responses={202: WatchedSerializer})
    @action(detail=True, methods=["post"])
    @once
    def ask(self, request: Request, **_path: object) -> Response:
        """Have a worker ask the registry which version is the newest."""
        watched = self.get_object()
        request_version_check(watched=watched, actor=actor_in(request))
        return Response(self.get_serializer(watched).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=ContainerVersionSerializer, responses=WatchedSerializer)
    @action(detail=True, methods=["post"])
    @once
    def skip(self, request: Request, **_path: object) -> Response:
        """Do not offer a version there."""
        order = order_in(request, ContainerVersionSerializer)
        skip_version(watched=self.get_object(), actor=actor_in(request), **order)
        return self._as_it_is_now()

    @extend_schema(request=ContainerVersionSerializer, responses=WatchedSerializer)
    @action(detail=True, methods=["post"])
    @once
    def offer(self, request: Request, **_path: object) -> Response:
        """Offer a skipped version again."""
        version = order_in(request, ContainerVersionSerializer)["version"]
        offer_version(watched=self.get_object(), version=version, actor=actor_in(request))
        return self._as_it_is_now()

    @extend_schema(request=SnoozeSerializer, responses=WatchedSerializer)
    @action(detail=True, methods=["post"])
    @once
    def snooze(self, request: Request, **_path: object) -> Response:
        """Tell nobody of newer versions of it for so many days."""
        days = order_in(request, SnoozeSerializer)["days"]
        snooze(watched=self.get_object(), days=days, actor=actor_in(request))
        return self._as_it_is_now()

    @extend_schema(request=ReasonSerializer, responses=WatchedSerializer)
    @action(detail=True, methods=["post"])
    @once
    def unwatch(self, request: Request, **_path: object) -> Response:
        """Look after it no longer; its history and backups stay."""
        reason = order_in(request, ReasonSerializer)["reason"]
        unwatch(watched=self.get_object(), actor=actor_in(request), reason=reason)
        return self._as_it_is_now()

    def _as_it_is_now(self) -> Response:
        return Response(self.get_serializer(self.get_object()).data)
