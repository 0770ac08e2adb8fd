"""Docker Engines of devices, and logins to registries, in the API: secrets go in, and never come out."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.models import EngineAccess, EngineLook, RegistryLogin
from devices.services.engine_looks import request_look
from devices.services.engine_settings import (
    delete_engine_access,
    delete_registry_login,
    save_engine_access,
    save_registry_login,
)
from portal.core.rest.created import Creates
from portal.core.rest.order import ReasonSerializer, words_in
from portal.core.rest.permissions import actor_in

SECRET: dict[str, Any] = {"write_only": True, "max_length": 20_000, "trim_whitespace": False}


class EngineLookSerializer(serializers.ModelSerializer[EngineLook]):
    """What the engine said at `answered_at`; `error` is why it said nothing when it was asked last."""

    is_being_taken = serializers.BooleanField()

    class Meta:
        model = EngineLook
        fields = (
            "asked_at", "is_being_taken", "answered_at", "error", "error_at", "version", "platform",
            "root_dir", "free_bytes",
        )  # fmt: skip
        read_only_fields = fields


class EngineSerializer(serializers.ModelSerializer[EngineAccess]):
    """`way`: `unix` and `ssh` may say `socket_path`; `tcp` says `host`, `port`, and the PEM texts of TLS."""

    look = serializers.SerializerMethodField()

    class Meta:
        model = EngineAccess
        fields = (
            "id", "device", "way", "socket_path", "host", "port", "authority", "certificate", "key",
            "created_at", "look",
        )  # fmt: skip
        extra_kwargs: ClassVar[dict[str, dict[str, Any]]] = {
            "key": SECRET | {"required": False, "allow_blank": True},
            "port": {"min_value": 1, "max_value": 65535},
            "authority": {"max_length": 20_000},
            "certificate": {"max_length": 20_000},
        }

    @extend_schema(responses=EngineLookSerializer)
    def get_look(self, access: EngineAccess) -> dict[str, Any] | None:
        """None: it was never asked."""
        look = getattr(access.device, "engine_look", None)
        return None if look is None else dict(EngineLookSerializer(look).data)

    def create(self, validated_data: dict[str, Any]) -> EngineAccess:
        actor = actor_in(self.context["request"])
        return save_engine_access(access=EngineAccess(**validated_data), actor=actor)

    def update(self, instance: EngineAccess, validated_data: dict[str, Any]) -> EngineAccess:
        validated_data.pop("device", None)
        for field, value in validated_data.items():
            setattr(instance, field, value)
        return save_engine_access(access=instance, actor=actor_in(self.context["request"]))


class Engines(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Creates,
    mixins.UpdateModelMixin,
    GenericViewSet[EngineAccess],
):
    """How the Docker Engines of devices are reached, and what they said last. The device of one is not changed."""

    queryset = EngineAccess.objects.select_related("device__engine_look")
    serializer_class = EngineSerializer
    filterset_fields = ("device", "way")
    route = "engines"
    ordering = ("device_id",)
    lookup_value_converter = "int"
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Forget how the engine is reached, and what it said."""
        reason = words_in(request, ReasonSerializer)["reason"]
        delete_engine_access(access=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: EngineLookSerializer})
    @action(detail=True, methods=["post"])
    def ask(self, request: Request, **_path: object) -> Response:
        """Have a worker ask the engine what it has."""
        look = request_look(device=self.get_object().device, actor=actor_in(request))
        return Response(EngineLookSerializer(look).data, status=status.HTTP_202_ACCEPTED)


class RegistryLoginSerializer(serializers.ModelSerializer[RegistryLogin]):
    """`registry` is a host, with its port if it has one, as references to its images begin."""

    class Meta:
        model = RegistryLogin
        fields = ("id", "registry", "username", "secret", "created_at")
        extra_kwargs: ClassVar[dict[str, dict[str, Any]]] = {"secret": SECRET}

    def create(self, validated_data: dict[str, Any]) -> RegistryLogin:
        actor = actor_in(self.context["request"])
        return save_registry_login(login=RegistryLogin(**validated_data), actor=actor)

    def update(self, instance: RegistryLogin, validated_data: dict[str, Any]) -> RegistryLogin:
        for field, value in validated_data.items():
            setattr(instance, field, value)
        return save_registry_login(login=instance, actor=actor_in(self.context["request"]))


class RegistryLogins(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Creates,
    mixins.UpdateModelMixin,
    GenericViewSet[RegistryLogin],
):
    """Who the portal, and engines that pull for it, are to registries."""

    queryset = RegistryLogin.objects.all()
    serializer_class = RegistryLoginSerializer
    route = "registry-logins"
    ordering = ("registry",)
    lookup_value_converter = "int"
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Be nobody to that registry from now on."""
        reason = words_in(request, ReasonSerializer)["reason"]
        delete_registry_login(login=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)
