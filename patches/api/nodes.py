"""Nodes in the API: secrets go in, and never come out."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from patches.models import Node
from patches.queries import DRIFTED, RESTART_NEEDED
from patches.services.node_records import delete_node, save_node
from patches.services.nodes import request_look, request_restart
from portal.core.rest.created import Creates
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.permissions import actor_in
from portal.core.yes_or_no import YesOrNoFilter

SAID = (
    "is_reachable", "trouble", "runtime", "version", "asked_at", "seen_at", "restart_needed",
    "restart_said", "drift",
)  # fmt: skip


class DriftSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    recorded = serializers.CharField()
    loaded = serializers.CharField()


class NodeSerializer(serializers.ModelSerializer[Node]):
    """`secret` is the cookie of an Erlang node, or the key of a Python system's agents."""

    drift = DriftSerializer(
        many=True, read_only=True, help_text="Modules that are not what the record says."
    )

    class Meta:
        model = Node
        fields = (
            "id", "name", "instance", "device", "address", "host", "way", "port_mapper", "root",
            "application", "restart_command", "tls_authority", "tls_certificate", "secret",
            "tls_key", *SAID,
        )  # fmt: skip
        read_only_fields = SAID
        extra_kwargs: ClassVar[dict[str, dict[str, Any]]] = {
            "secret": {"write_only": True, "max_length": 1000, "trim_whitespace": False},
            "tls_key": {"write_only": True, "max_length": 20_000, "trim_whitespace": False},
            "port_mapper": {"min_value": 1, "max_value": 65535},
        }

    def create(self, validated_data: dict[str, Any]) -> Node:
        return save_node(node=Node(**validated_data), actor=actor_in(self.context["request"]))

    def update(self, instance: Node, validated_data: dict[str, Any]) -> Node:
        for field, value in validated_data.items():
            setattr(instance, field, value)
        return save_node(node=instance, actor=actor_in(self.context["request"]))


class NodeFilter(django_filters.FilterSet):
    restart_needed = YesOrNoFilter(method="by_restart")
    drift = YesOrNoFilter(method="by_drift")

    class Meta:
        model = Node
        fields = ("name", "instance", "device", "is_reachable")

    def by_restart(self, nodes: QuerySet[Node], _name: str, is_so: bool) -> QuerySet[Node]:  # noqa: FBT001
        return nodes.filter(RESTART_NEEDED) if is_so else nodes.exclude(RESTART_NEEDED)

    def by_drift(self, nodes: QuerySet[Node], _name: str, is_so: bool) -> QuerySet[Node]:  # noqa: FBT001
        return nodes.filter(DRIFTED) if is_so else nodes.exclude(DRIFTED)


class Nodes(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    Creates,
    mixins.UpdateModelMixin,
    GenericViewSet[Node],
):
    """Running processes that patches are loaded into."""

    queryset = Node.objects.select_related("instance__module", "device")
    serializer_class = NodeSerializer
    filterset_class = NodeFilter
    route = "nodes"
    ordering = ("name",)
    lookup_value_converter = "int"
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Forget a node. Refused while a patch is in force there, 409 while an upgrade is under way."""
        reason = words_in(request, ReasonSerializer)["reason"]
        delete_node(node=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: NodeSerializer})
    @action(detail=True, methods=["post"])
    @once
    def look(self, request: Request, **_path: object) -> Response:
        """Ask it, and the other nodes of its instance, how they are. It has answered once `asked_at` is later than before."""
        node = self.get_object()
        request_look(instance=node.instance, actor=actor_in(request))
        return Response(self.get_serializer(node).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=ReasonSerializer, responses={202: NodeSerializer})
    @action(detail=True, methods=["post"])
    @once
    def restart(self, request: Request, **_path: object) -> Response:
        """Run its restart command on its device; `restart_said` says how that ended."""
        reason, node = order_in(request, ReasonSerializer)["reason"], self.get_object()
        request_restart(node=node, actor=actor_in(request), reason=reason)
        node.refresh_from_db()
        return Response(self.get_serializer(node).data, status=status.HTTP_202_ACCEPTED)
