"""Backups of watched containers in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from portal.core.errors import Refused
from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.permissions import actor_in
from updates.api.upgrades import UpgradeSerializer
from updates.models import Backup, WatchedContainer
from updates.services.backups import ADD, back_up_now, delete_backup, restore_backup


class BackupSerializer(serializers.ModelSerializer[Backup]):
    """One with `taken_at` and without `deleted_at` is a file on the device. `upgrade` made it; null: a person did.

    One that `is_live` was copied while the containers ran. `error` is why there is none, or why it was not deleted.
    """

    container = serializers.CharField(source="watched.instance.name")
    device = serializers.CharField(source="watched.instance.device.name")
    requested_by = serializers.CharField(source="requested_by_name")

    class Meta:
        model = Backup
        fields = (
            "id", "container", "device", "upgrade", "path", "size", "sha256", "version", "is_live", "error",
            "reason", "requested_by", "created_at", "taken_at", "delete_requested_at", "deleted_at",
        )  # fmt: skip
        read_only_fields = fields


class NewBackupSerializer(ReasonSerializer):
    container = serializers.CharField(
        max_length=100, help_text="The name of the watched container's instance."
    )


class Backups(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Backup]):
    """Copies of the data of watched containers, on their devices; newest first."""

    queryset = Backup.objects.select_related("watched__instance__device")
    serializer_class = BackupSerializer
    filterset_fields = {"watched__instance__name": ["exact"], "is_live": ["exact"]}
    ordering = ("-created_at", "-id")
    lookup_value_converter = "int"

    @extend_schema(request=NewBackupSerializer, responses={201: BackupSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Have a worker copy the data now, while the containers run: read it again for what became of it."""
        actor = actor_in(request)
        actor.require(ADD)
        given: dict[str, Any] = order_in(request, NewBackupSerializer)
        rows = WatchedContainer.objects.filter(instance__name=given["container"])
        watched = rows.select_related("instance__device").first()
        if watched is None:
            raise Refused(f"No container is watched as {given['container']}.")
        backup = back_up_now(watched=watched, actor=actor, reason=given["reason"])
        return created(self.get_serializer(backup).data, route="backups", request=request)

    @extend_schema(request=ReasonSerializer, responses={202: UpgradeSerializer})
    @action(detail=True, methods=["post"])
    @once
    def restore(self, request: Request, **_path: object) -> Response:
        """Put its data back: the containers stop and start again. The answer is the upgrade that does it."""
        actor = actor_in(request)
        reason = order_in(request, ReasonSerializer)["reason"]
        upgrade = restore_backup(backup=self.get_object(), actor=actor, reason=reason)
        shown = UpgradeSerializer(upgrade, context=self.get_serializer_context())
        return Response(shown.data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(parameters=[ReasonSerializer], responses={202: BackupSerializer})
    def destroy(self, request: Request, **_path: object) -> Response:
        """Have a worker delete the file; the record stays. The only good one is not deleted."""
        reason = words_in(request, ReasonSerializer)["reason"]
        backup = delete_backup(backup=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(self.get_serializer(backup).data, status=status.HTTP_202_ACCEPTED)
