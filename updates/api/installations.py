"""Instances of module images in the API: installed, looked after, uninstalled."""

from __future__ import annotations

from typing import Any, Final

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
from updates.api.names import NamedInstance
from updates.api.upgrades import UpgradeDetailSerializer
from updates.models import Installation, Instance, Upgrade
from updates.services.installations import (
    hold_instance,
    offer_version,
    release_instance,
    save_installation,
    skip_version,
)
from updates.services.installing import NewInstance, adopt, install_module, uninstall_module
from updates.services.module_updates import reinstall

MOST_PORTS: Final = 100


class InstallationSerializer(serializers.ModelSerializer[Installation]):
    """`image`, `digest` and `images` are what is in force; empty before the first install has succeeded."""

    instance = NamedInstance(read_only=True)  # type: ignore[assignment]
    images = serializers.ListField(child=serializers.CharField(), read_only=True)
    probes = serializers.ListField(child=serializers.DictField(), help_text="The health gate's.")
    volumes = serializers.ListField(
        child=serializers.CharField(), help_text="Kept with the data before each update."
    )
    skipped = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Installation
        fields = (
            "id", "instance", "image", "image_id", "digest", "images", "rootfull", "user", "install_dir",
            "on_failed_script", "keeps_data", "volumes", "probes", "first_tcp_port", "tcp_ports",
            "first_udp_port", "udp_ports", "is_held", "held_why", "skipped", "uninstalled_at",
        )  # fmt: skip
        read_only_fields = tuple(
            set(fields) - {"on_failed_script", "keeps_data", "volumes", "probes"}
        )

    def update(self, instance: Installation, validated_data: dict[str, Any]) -> Installation:
        for field, value in validated_data.items():
            setattr(instance, field, value)
        return save_installation(installation=instance, actor=actor_in(self.context["request"]))


class PlaceSerializer(ReasonSerializer):
    image = serializers.CharField(max_length=300)
    rootfull = serializers.BooleanField(default=False, help_text="It belongs to root.")
    user = serializers.CharField(
        max_length=32, default="", allow_blank=True, help_text="The instance's name, if empty."
    )
    install_dir = serializers.CharField(
        max_length=255, default="", allow_blank=True, help_text="~/.config of its user, if empty."
    )


class NewInstanceSerializer(PlaceSerializer):
    device = serializers.PrimaryKeyRelatedField(queryset=Device.objects.all())
    name = serializers.CharField(
        max_length=100, default="", allow_blank=True,
        help_text="The module's name with its next number, if empty.",
    )  # fmt: skip
    tcp_ports = serializers.IntegerField(min_value=0, max_value=MOST_PORTS, default=0)
    udp_ports = serializers.IntegerField(min_value=0, max_value=MOST_PORTS, default=0)


class AdoptSerializer(PlaceSerializer):
    instance = serializers.PrimaryKeyRelatedField(  # type: ignore[assignment]
        queryset=Instance.objects.select_related("module", "device")
    )


class VersionSerializer(serializers.Serializer[dict[str, Any]]):
    version = serializers.CharField(max_length=255)
    reason = serializers.CharField(max_length=2000, default="", allow_blank=True)


class Installations(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    GenericViewSet[Installation],
):
    """How instances were installed from module images."""

    queryset = Installation.objects.select_related("instance__module", "instance__device")
    serializer_class = InstallationSerializer
    filterset_fields = ("image", "is_held", "instance__module", "instance__device")
    ordering = ("id",)
    lookup_value_converter = "int"
    http_method_names = ["get", "post", "patch", "head", "options"]

    @extend_schema(request=NewInstanceSerializer, responses={201: UpgradeDetailSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Install a new instance, by an upgrade; it waits where the device is busy."""
        order = order_in(request, NewInstanceSerializer)
        reason = order.pop("reason")
        return self._ordered(
            install_module(NewInstance(**order), actor=actor_in(request), reason=reason)
        )

    @extend_schema(request=AdoptSerializer, responses=InstallationSerializer)
    @action(detail=False, methods=["post"])
    @once
    def adopt(self, request: Request) -> Response:
        """Take an instance under control that stands on its device already. Nothing is done there."""
        order = order_in(request, AdoptSerializer)
        instance, reason = order.pop("instance"), order.pop("reason")
        new = NewInstance(device=instance.device, **order)
        made = adopt(instance=instance, new=new, actor=actor_in(request), reason=reason)
        return Response(self.get_serializer(made).data)

    @extend_schema(request=ReasonSerializer, responses={201: UpgradeDetailSerializer, 204: None})
    @action(detail=True, methods=["post"])
    @once
    def uninstall(self, request: Request, **_path: object) -> Response:
        """Take the instance away from its device, by an upgrade. 409 names the `holder` while it is busy.

        204 where nothing of it was ever on the device: only the record says that it is gone.
        """
        upgrade = uninstall_module(
            instance=self._instance(), actor=actor_in(request), reason=_reason(request)
        )
        if upgrade is None:
            return Response(status=status.HTTP_204_NO_CONTENT)
        return self._ordered(upgrade)

    @extend_schema(request=ReasonSerializer, responses={201: UpgradeDetailSerializer})
    @action(detail=True, methods=["post"])
    @once
    def reinstall(self, request: Request, **_path: object) -> Response:
        """Install the version that is there once more, by an upgrade."""
        order = reinstall(
            instance=self._instance(), actor=actor_in(request), reason=_reason(request)
        )
        return self._ordered(order.upgrades.get())

    @extend_schema(request=ReasonSerializer, responses=InstallationSerializer)
    @action(detail=True, methods=["post"])
    @once
    def hold(self, request: Request, **_path: object) -> Response:
        """It gets no update any more but by a person who names it alone; what waits from an order for several is called off."""
        return self._changed(
            hold_instance(instance=self._instance(), why=_reason(request), actor=actor_in(request))
        )

    @extend_schema(request=ReasonSerializer, responses=InstallationSerializer)
    @action(detail=True, methods=["post"])
    @once
    def release(self, request: Request, **_path: object) -> Response:
        """It is held no longer."""
        return self._changed(
            release_instance(
                instance=self._instance(), actor=actor_in(request), reason=_reason(request)
            )
        )

    @extend_schema(request=VersionSerializer, responses=InstallationSerializer)
    @action(detail=True, methods=["post"])
    @once
    def skip(self, request: Request, **_path: object) -> Response:
        """The version is not offered for the instance."""
        words = order_in(request, VersionSerializer)
        return self._changed(
            skip_version(instance=self._instance(), actor=actor_in(request), **words)
        )

    @extend_schema(request=VersionSerializer, responses=InstallationSerializer)
    @action(detail=True, methods=["post"])
    @once
    def offer(self, request: Request, **_path: object) -> Response:
        """The version is offered again."""
        words = order_in(request, VersionSerializer)
        return self._changed(
            offer_version(instance=self._instance(), actor=actor_in(request), **words)
        )

    def _instance(self) -> Instance:
        return self.get_object().instance

    def _changed(self, made: Installation) -> Response:
        return Response(self.get_serializer(made).data)

    def _ordered(self, upgrade: Upgrade) -> Response:
        data = UpgradeDetailSerializer(upgrade).data
        return created(data, route="upgrades", request=self.request)


def _reason(request: Request) -> str:
    reason: str = order_in(request, ReasonSerializer)["reason"]
    return reason
