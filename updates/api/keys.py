"""Keys in the API: private ones go in, and never come out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.permissions import actor_in
from updates.models import SigningKey, TrustedKey
from updates.services.keys import (
    Generated,
    delete_signing_key,
    distrust_key,
    generate_signing_key,
    import_signing_key,
    trust_key,
)

LARGEST_PEM = 16 * 1024
Key = TypeVar("Key", TrustedKey, SigningKey)


class TrustedKeySerializer(serializers.ModelSerializer[TrustedKey]):
    added_by = serializers.CharField(source="added_by.username", allow_null=True, default=None)

    class Meta:
        model = TrustedKey
        fields = ("id", "name", "kind", "pem", "fingerprint", "added_by", "added_at")
        read_only_fields = fields


class NewTrustedKey(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField(max_length=100)
    pem = serializers.CharField(
        max_length=LARGEST_PEM, help_text="A public key: RSA, or ECDSA P-256."
    )


class SigningKeySerializer(serializers.ModelSerializer[SigningKey]):
    """The private half is never shown."""

    added_by = serializers.CharField(source="added_by.username", allow_null=True, default=None)

    class Meta:
        model = SigningKey
        fields = ("id", "name", "kind", "public_pem", "fingerprint", "added_by", "added_at")
        read_only_fields = fields


class NewSigningKey(serializers.Serializer[dict[str, Any]]):
    """`generate` a key, or hand one over in `private_pem`."""

    name = serializers.CharField(max_length=100)
    generate = serializers.ChoiceField(
        choices=[(kind.value, kind.value) for kind in Generated], required=False
    )
    private_pem = serializers.CharField(max_length=LARGEST_PEM, required=False, write_only=True)
    password = serializers.CharField(max_length=1000, default="", write_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("generate" in attrs) == ("private_pem" in attrs):
            raise serializers.ValidationError("Give generate or private_pem, one of them.")
        return attrs


class Keys(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Key]):
    """What both kinds of keys are asked for."""

    filterset_fields = ("name", "fingerprint")
    ordering = ("name",)
    lookup_value_converter = "int"
    let_go: ClassVar[Callable[..., None]]

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Let a key go: a trusted one counts no more, a private one is gone for good."""
        reason = words_in(request, ReasonSerializer)["reason"]
        type(self).let_go(key=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TrustedKeys(Keys[TrustedKey]):
    """Public keys whose signature on an artifact counts."""

    queryset = TrustedKey.objects.select_related("added_by")
    serializer_class = TrustedKeySerializer
    let_go = staticmethod(distrust_key)

    @extend_schema(request=NewTrustedKey, responses={201: TrustedKeySerializer})
    @once
    def create(self, request: Request) -> Response:
        """Trust a public key."""
        actor_in(request).require("updates.add_trustedkey")
        key = trust_key(actor=actor_in(request), **order_in(request, NewTrustedKey))
        return created(self.get_serializer(key).data, route="trusted-keys", request=request)


class SigningKeys(Keys[SigningKey]):
    """Keys that the portal signs with."""

    queryset = SigningKey.objects.select_related("added_by").defer("private_pem")
    serializer_class = SigningKeySerializer
    let_go = staticmethod(delete_signing_key)

    @extend_schema(request=NewSigningKey, responses={201: SigningKeySerializer})
    @once
    def create(self, request: Request) -> Response:
        """Have the portal make a key, or hand one over. Its public half is trusted."""
        actor = actor_in(request)
        actor.require("updates.add_signingkey")
        given = order_in(request, NewSigningKey)
        if "generate" in given:
            key = generate_signing_key(
                name=given["name"], kind=Generated(given["generate"]), actor=actor
            )
        else:
            key = import_signing_key(
                name=given["name"],
                pem=given["private_pem"],
                password=given["password"],
                actor=actor,
            )
        return created(self.get_serializer(key).data, route="signing-keys", request=request)
