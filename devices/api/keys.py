"""Keys of devices that pull, in the API: who asks, and what is decided about it."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.auth_request import read_device_key, read_id_data_of
from devices.errors import Unreadable
from devices.keys import keys_with
from devices.models import AuthSet
from devices.services.bulk import MEANT_ABOVE, require_meant
from devices.services.enrolment import (
    accept,
    dismiss,
    dismiss_many,
    preauthorise,
    reject,
    reject_many,
)
from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.permissions import actor_in

UNDECIDED: Final = [status for status in AuthSet.Status.values if status != AuthSet.Status.ACCEPTED]
"""A key that is accepted is a device of ours: what is done to it is said of it alone."""
WORDS: Final = [
    OpenApiParameter("status", str, enum=AuthSet.Status.values),
    OpenApiParameter("q", str, description="Words in the identity, or the beginning of the hash."),
]


class DeviceKeySerializer(serializers.ModelSerializer[AuthSet]):
    """`key_hash` is the SHA-256 of the public key in DER; `device` is None until one was accepted for this identity."""

    identity = serializers.DictField(source="identity.id_data", read_only=True)
    device = serializers.IntegerField(source="identity.device_id", allow_null=True, read_only=True)

    class Meta:
        model = AuthSet
        fields = (
            "id", "identity", "device", "status", "key_hash", "public_key", "requested_at",
            "last_asked_at", "decided_at", "decided_by_name",
        )  # fmt: skip
        read_only_fields = fields


class PreauthoriseSerializer(ReasonSerializer):
    identity = serializers.DictField(
        child=serializers.CharField(max_length=1000), help_text="As the device tells it."
    )
    public_key = serializers.CharField(max_length=8000, help_text="PEM.")


class OptionalReasonSerializer(serializers.Serializer[dict[str, Any]]):
    reason = serializers.CharField(
        max_length=2000, default="", allow_blank=True, help_text="Kept in the history."
    )


class ManyKeysSerializer(ReasonSerializer):
    status = serializers.ChoiceField(choices=UNDECIDED, default=AuthSet.Status.PENDING)
    q = serializers.CharField(
        max_length=200, default="", allow_blank=True, help_text="As in the list; none: all of them."
    )
    count = serializers.IntegerField(
        default=None,
        allow_null=True,
        min_value=1,
        help_text=f"How many keys you mean; has to be said for more than {MEANT_ABOVE}.",
    )


class DecidedSerializer(serializers.Serializer[dict[str, Any]]):
    count = serializers.IntegerField(help_text="How many keys it was done to.")


@extend_schema_view(list=extend_schema(parameters=WORDS))
class DeviceKeys(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[AuthSet]):
    """Keys with which devices asked to be let in, or may."""

    queryset = AuthSet.objects.select_related("identity__device")
    serializer_class = DeviceKeySerializer
    ordering = ("id",)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[AuthSet]:
        words = self.request.query_params
        found = super().get_queryset()
        if text := words.get("q", "").replace("\0", ""):
            found = found.filter(pk__in=keys_with(text=text).values("pk"))
        if (given := words.get("status", "")) and self.action == "list":
            if given not in AuthSet.Status.values:
                raise serializers.ValidationError({"status": [f"There is no {given[:40]!r}."]})
            found = found.filter(status=given)
        return found

    @extend_schema(request=PreauthoriseSerializer, responses={201: DeviceKeySerializer})
    @once
    def create(self, request: Request) -> Response:
        """Preauthorise: whoever asks with this identity and proves to have this key is let in at once."""
        order = order_in(request, PreauthoriseSerializer)
        try:
            identity = read_id_data_of(order["identity"])
        except Unreadable as error:
            raise serializers.ValidationError({"identity": [str(error)]}) from error
        try:
            key = read_device_key(order["public_key"])
        except Unreadable as error:
            raise serializers.ValidationError({"public_key": [str(error)]}) from error
        made = preauthorise(
            id_data=identity, key=key, actor=actor_in(request), reason=order["reason"]
        )
        return created(self.get_serializer(made).data, route="device-keys", request=request)

    @extend_schema(request=OptionalReasonSerializer, responses=DeviceKeySerializer)
    @action(detail=True, methods=["post"])
    @once
    def accept(self, request: Request, **_path: object) -> Response:
        """Let the device with this key in. Another key of its identity is rejected."""
        reason = order_in(request, OptionalReasonSerializer)["reason"]
        accept(auth_set=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=ReasonSerializer, responses=DeviceKeySerializer)
    @action(detail=True, methods=["post"])
    @once
    def reject(self, request: Request, **_path: object) -> Response:
        """Do not let this key in, or not any more: its token is worth nothing at once."""
        reason = order_in(request, ReasonSerializer)["reason"]
        key = reject(auth_set=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(self.get_serializer(key).data)

    @extend_schema(request=ManyKeysSerializer, responses=DecidedSerializer)
    @action(detail=False, methods=["post"], url_path="reject-many")
    @once
    def reject_many(self, request: Request) -> Response:
        """Do not let any of the keys of this status in, in which these words stand."""
        found, reason = _many_in(request)
        done = reject_many(auth_sets=found, actor=actor_in(request), reason=reason)
        return Response({"count": len(done)})

    @extend_schema(request=ManyKeysSerializer, responses=DecidedSerializer)
    @action(detail=False, methods=["post"], url_path="forget-many")
    @once
    def forget_many(self, request: Request) -> Response:
        """Forget all keys of this status in which these words stand; whoever has one may ask again."""
        found, reason = _many_in(request)
        count = dismiss_many(auth_sets=found, actor=actor_in(request), reason=reason)
        return Response({"count": count})

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Forget a key that is not accepted; whoever has it may ask again."""
        reason = words_in(request, ReasonSerializer)["reason"]
        dismiss(auth_set=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _many_in(request: Request) -> tuple[QuerySet[AuthSet], str]:
    """The keys that the order is about, as long as nobody else decides about them, and why.

    Refused when they are many and their number was not said.
    """
    order = order_in(request, ManyKeysSerializer)
    found = keys_with(status=AuthSet.Status(order["status"]), text=order["q"])
    ids = list(found.order_by().values_list("pk", flat=True))
    require_meant(count=len(ids), said=order["count"], how='send it as "count"', what="keys")
    return found.filter(pk__in=ids), order["reason"]
