"""Credentials in the API: secrets go in, and never come out."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import mixins, serializers
from rest_framework.viewsets import GenericViewSet

from devices import services
from devices.models import Credential
from portal.core.rest.created import Creates
from portal.core.rest.permissions import actor_in


class CredentialSerializer(serializers.ModelSerializer[Credential]):
    """`secret` is the password, or the private key as text (OpenSSH's format or PEM)."""

    class Meta:
        model = Credential
        fields = ("id", "name", "kind", "username", "secret", "passphrase", "created_at")
        extra_kwargs: ClassVar[dict[str, dict[str, Any]]] = {
            "secret": {"write_only": True, "max_length": 20_000, "trim_whitespace": False},
            "passphrase": {"write_only": True, "max_length": 1000, "trim_whitespace": False},
        }

    def create(self, validated_data: dict[str, Any]) -> Credential:
        return services.save_credential(
            credential=Credential(**validated_data), actor=actor_in(self.context["request"])
        )

    def update(self, instance: Credential, validated_data: dict[str, Any]) -> Credential:
        fresh = (
            {"passphrase": "", **validated_data} if "secret" in validated_data else validated_data
        )
        for field, value in fresh.items():
            setattr(instance, field, value)
        return services.save_credential(
            credential=instance, actor=actor_in(self.context["request"])
        )


class Credentials(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Creates,
    mixins.UpdateModelMixin,
    GenericViewSet[Credential],
):
    """What devices are opened with. A new secret comes with its own passphrase, or with none."""

    queryset = Credential.objects.all()
    serializer_class = CredentialSerializer
    route = "credentials"
    ordering = ("name",)
    lookup_value_converter = "int"
    http_method_names = ["get", "post", "patch", "head", "options"]
