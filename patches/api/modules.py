"""Modules and instances in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from patches.queries import standing_on
from patches.services.elimination import record_installation
from patches.services.nodes import request_look
from portal.core.rest.created import Creates
from portal.core.rest.once import once
from portal.core.rest.order import order_in
from portal.core.rest.permissions import actor_in
from updates.api.installations import InstallationSerializer
from updates.models import Installation, Instance, Module
from updates.services.modules import save_instance, save_module

METHODS = ["get", "post", "patch", "head", "options"]


class ModuleSerializer(serializers.ModelSerializer[Module]):
    class Meta:
        model = Module
        fields = ("id", "name", "runtime", "source", "notes")

    def create(self, validated_data: dict[str, Any]) -> Module:
        return save_module(module=Module(**validated_data), actor=actor_in(self.context["request"]))

    def update(self, instance: Module, validated_data: dict[str, Any]) -> Module:
        for field, value in validated_data.items():
            setattr(instance, field, value)
        return save_module(module=instance, actor=actor_in(self.context["request"]))


class Modules(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Creates,
    mixins.UpdateModelMixin,
    GenericViewSet[Module],
):
    """Named, versioned applications that devices run."""

    queryset = Module.objects.all()
    serializer_class = ModuleSerializer
    filterset_fields = ("name", "runtime")
    route = "modules"
    ordering = ("name",)
    lookup_value_converter = "int"
    http_method_names = METHODS


class InForceSerializer(serializers.Serializer[Any]):
    patch = serializers.UUIDField(source="patch_id")
    name = serializers.CharField(source="patch.name")
    upgrade = serializers.UUIDField(source="upgrade_id")
    standing = serializers.CharField(help_text="`active`; `broken` where nobody knows.")


class InstanceSerializer(serializers.ModelSerializer[Instance]):
    """`version` is given with a new one; afterwards it changes with an installation only."""

    class Meta:
        model = Instance
        fields = ("id", "name", "module", "device", "version", "created_at")
        read_only_fields = ("created_at",)

    def create(self, validated_data: dict[str, Any]) -> Instance:
        return save_instance(
            instance=Instance(**validated_data), actor=actor_in(self.context["request"])
        )

    def update(self, instance: Instance, validated_data: dict[str, Any]) -> Instance:
        for field, value in validated_data.items():
            setattr(instance, field, value)
        return save_instance(instance=instance, actor=actor_in(self.context["request"]))


class InstanceDetailSerializer(InstanceSerializer):
    patches = serializers.SerializerMethodField(help_text="Those in force, the oldest first.")
    installation = serializers.SerializerMethodField(
        help_text="How it was installed from a module image; null: it was not."
    )

    class Meta(InstanceSerializer.Meta):
        fields = (*InstanceSerializer.Meta.fields, "patches", "installation")  # type: ignore[assignment]

    @extend_schema_field(InForceSerializer(many=True))
    def get_patches(self, instance: Instance) -> list[dict[str, Any]]:
        return list(InForceSerializer(standing_on(instance), many=True).data)

    @extend_schema_field(InstallationSerializer(allow_null=True))
    def get_installation(self, instance: Instance) -> dict[str, Any] | None:
        made = Installation.objects.filter(instance=instance).first()
        return dict(InstallationSerializer(made).data) if made else None


class InstalledSerializer(serializers.Serializer[dict[str, Any]]):
    version = serializers.CharField(max_length=100, help_text="The one that is installed now.")
    reason = serializers.CharField(max_length=2000, help_text="Why: it is kept in the history.")


class Instances(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Creates,
    mixins.UpdateModelMixin,
    GenericViewSet[Instance],
):
    """Modules, each installed on one device."""

    queryset = Instance.objects.select_related("module", "device")
    filterset_fields = ("name", "module", "device", "version")
    route = "instances"
    ordering = ("name",)
    lookup_value_converter = "int"
    http_method_names = METHODS

    def get_serializer_class(self) -> type[InstanceSerializer]:
        return InstanceSerializer if self.action == "list" else InstanceDetailSerializer

    @extend_schema(request=InstalledSerializer, responses=InstanceDetailSerializer)
    @action(detail=True, methods=["post"])
    @once
    def installed(self, request: Request, **_path: object) -> Response:
        """Record that it was upgraded or installed anew by other means: no patch is left of before. 409 while it is busy."""
        order = order_in(request, InstalledSerializer)
        instance = record_installation(instance=self.get_object(), actor=actor_in(request), **order)
        return Response(self.get_serializer(instance).data)

    @extend_schema(request=None, responses={202: None})
    @action(detail=True, methods=["post"])
    @once
    def look(self, request: Request, **_path: object) -> Response:
        """Ask its nodes how they are: read them again for what they said."""
        request_look(instance=self.get_object(), actor=actor_in(request))
        return Response(status=status.HTTP_202_ACCEPTED)
