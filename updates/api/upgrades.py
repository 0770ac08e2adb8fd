"""Upgrades in the API: the history, and the verbs for one upgrade."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from devices.models import Device
from portal.core import clock
from portal.core.exports import as_file
from portal.core.rest.created import created
from portal.core.rest.files import AnyAccept
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.permissions import actor_in
from updates.api.names import NamedArtifact, NamedDevice, NamedInstance
from updates.api.what import WhatSerializer
from updates.machine import SENTENCES, Outcome, State
from updates.models import Upgrade, UpgradeEvent
from updates.queries import PAGE, events_after, history
from updates.services.data_of import DataOf
from updates.services.force import force_cancel_upgrade
from updates.services.recover import recover_upgrade
from updates.services.reports import history_csv, history_json_lines
from updates.services.upgrades import (
    apply_artifact,
    apply_release,
    cancel_upgrade,
    commit_upgrade,
    retry_upgrade,
    roll_back_upgrade,
)
from updates.services.waiting import waits_for
from updates.upgrade_filter import UpgradeFilter


class RollBackSerializer(ReasonSerializer):
    data_of = serializers.ChoiceField(
        choices=[one.value for one in DataOf],
        required=False,
        help_text="Of containers whose data were backed up: those of `before`, or those of `now`.",
    )


class UpgradeSerializer(serializers.ModelSerializer[Upgrade]):
    """`state` says where it is; `outcome` how it ends, from the moment that this is decided."""

    device = NamedDevice()
    instance = NamedInstance(allow_null=True)  # type: ignore[assignment]
    artifact = NamedArtifact(allow_null=True)
    deployment = serializers.UUIDField(source="deployment_id", allow_null=True)
    module_order = serializers.UUIDField(source="module_order_id", allow_null=True)
    undoes = serializers.UUIDField(source="undoes_id", allow_null=True)
    retries = serializers.UUIDField(source="retries_id", allow_null=True)
    requested_by = serializers.CharField(source="requested_by_name")
    sentence = serializers.SerializerMethodField(help_text="The outcome in words; empty before.")

    class Meta:
        model = Upgrade
        fields = (
            "id", "kind", "executor", "device", "instance", "artifact", "deployment", "module_order",
            "undoes", "retries",
            "from_version", "to_version", "state", "outcome", "sentence", "unchanged", "progress",
            "error", "error_code", "error_state", "warning", "cancel_requested_at",
            "cancel_requested_by", "requested_by", "reason", "last_seq", "created_at",
            "started_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_sentence(self, upgrade: Upgrade) -> str:
        return SENTENCES[Outcome(upgrade.outcome)] if upgrade.outcome else ""


class UpgradeDetailSerializer(UpgradeSerializer):
    waits_for = serializers.SerializerMethodField(
        help_text="The upgrade that has to end on the device before this one may start."
    )

    class Meta:
        model = Upgrade
        fields = (*UpgradeSerializer.Meta.fields, "waits_for")
        read_only_fields = fields

    def get_waits_for(self, upgrade: Upgrade) -> uuid.UUID | None:
        ahead = waits_for(upgrade) if upgrade.state == State.PENDING else None
        return ahead.pk if ahead else None


class UpgradeOrderSerializer(WhatSerializer):
    device = serializers.PrimaryKeyRelatedField(queryset=Device.objects.all())
    reason = serializers.CharField(max_length=2000, help_text="Why: it is kept in the history.")
    force = serializers.BooleanField(
        default=False, help_text="Install even if it is installed already."
    )
    holds = serializers.BooleanField(
        default=False, help_text="Wait before the commit for `commit`, or for `cancel`."
    )


class EventWords(serializers.Serializer[dict[str, Any]]):
    after = serializers.IntegerField(
        min_value=0, max_value=2**31 - 1, default=0, help_text="The last answer's `cursor`."
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=PAGE, default=PAGE, help_text="Events in one answer, at most."
    )


class ExportWords(serializers.Serializer[dict[str, Any]]):
    form = serializers.ChoiceField(
        choices=[("csv", "CSV with a header"), ("jsonl", "a JSON object on each line")],
        default="csv",
    )


class UpgradeEventSerializer(serializers.ModelSerializer[UpgradeEvent]):
    data = serializers.DictField(help_text="More about the event.")  # type: ignore[assignment]

    class Meta:
        model = UpgradeEvent
        fields = (
            "seq", "at", "kind", "from_state", "event", "to_state", "call", "text", "data",
        )  # fmt: skip
        read_only_fields = fields


class EventPageSerializer(serializers.Serializer[Any]):
    events = UpgradeEventSerializer(many=True)
    cursor = serializers.IntegerField(help_text="Give it as `after` for what comes next.")
    is_end = serializers.BooleanField(help_text="Nothing will come any more.")


class Upgrades(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Upgrade]):
    """What happened, happens or is to happen to each device, newest first."""

    queryset = history()
    filterset_class = UpgradeFilter
    ordering = ("-created_at", "-id")
    lookup_value_converter = "uuid"

    def get_serializer_class(self) -> type[UpgradeSerializer]:
        return UpgradeSerializer if self.action == "list" else UpgradeDetailSerializer

    @extend_schema(request=UpgradeOrderSerializer, responses={201: UpgradeDetailSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Apply a release or an artifact to one device, now. 409 names the `holder` when the device is busy."""
        order = order_in(request, UpgradeOrderSerializer)
        apply = apply_release if "release" in order else apply_artifact
        return self._created(apply(actor=actor_in(request), **order))

    @extend_schema(request=ReasonSerializer, responses=UpgradeDetailSerializer)
    @action(detail=True, methods=["post"])
    @once
    def cancel(self, request: Request, **_path: object) -> Response:
        """Cancel: a waiting upgrade is over, a running one stops at its next safe point or goes back."""
        reason = order_in(request, ReasonSerializer)["reason"]
        upgrade = cancel_upgrade(upgrade=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(self.get_serializer(upgrade).data)

    @extend_schema(request=ReasonSerializer, responses=UpgradeDetailSerializer)
    @action(detail=True, methods=["post"])
    @once
    def commit(self, request: Request, **_path: object) -> Response:
        """Let an upgrade that holds before its commit go on. 409 when it does not wait for that."""
        reason = order_in(request, ReasonSerializer)["reason"]
        upgrade = commit_upgrade(upgrade=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(self.get_serializer(upgrade).data)

    @extend_schema(request=ReasonSerializer, responses={201: UpgradeDetailSerializer})
    @action(detail=True, methods=["post"])
    @once
    def retry(self, request: Request, **_path: object) -> Response:
        """Do the same again, as a new upgrade that `retries` this one."""
        reason = order_in(request, ReasonSerializer)["reason"]
        return self._created(
            retry_upgrade(upgrade=self.get_object(), actor=actor_in(request), reason=reason)
        )

    @extend_schema(request=RollBackSerializer, responses={201: UpgradeDetailSerializer})
    @action(detail=True, methods=["post"], url_path="roll-back")
    @once
    def roll_back(self, request: Request, **_path: object) -> Response:
        """Take this upgrade back, by a new one that `undoes` it.

        Of containers whose data were backed up, `data_of` says whose data they are to have then: `before` or `now`.
        """
        order = order_in(request, RollBackSerializer)
        undo = roll_back_upgrade(
            upgrade=self.get_object(),
            data=DataOf(order["data_of"]) if "data_of" in order else None,
            actor=actor_in(request),
            reason=order["reason"],
        )
        return self._created(undo)

    @extend_schema(request=ReasonSerializer, responses=UpgradeDetailSerializer)
    @action(detail=True, methods=["post"], url_path="force-cancel")
    @once
    def force_cancel(self, request: Request, **_path: object) -> Response:
        """End it now, whatever its worker is doing: `cancelled` if nothing can have been changed yet, else `broken`.

        Nothing on the device is undone or cleaned up. It is for an upgrade that nothing else ends.
        """
        reason = order_in(request, ReasonSerializer)["reason"]
        upgrade = force_cancel_upgrade(
            upgrade=self.get_object(), actor=actor_in(request), reason=reason
        )
        return Response(self.get_serializer(upgrade).data)

    @extend_schema(request=None, responses=UpgradeDetailSerializer)
    @action(detail=True, methods=["post"])
    @once
    def recover(self, request: Request, **_path: object) -> Response:
        """Put it back on the queue. 409 while a worker holds it, or while it waits for another upgrade."""
        upgrade = recover_upgrade(upgrade=self.get_object(), actor=actor_in(request))
        return Response(self.get_serializer(upgrade).data)

    @extend_schema(parameters=[EventWords], responses=EventPageSerializer, filters=False)
    @action(detail=True)
    def events(self, request: Request, **_path: object) -> Response:
        """What happened after a cursor, in order: ask again with the new cursor until `is_end`."""
        words = words_in(request, EventWords)
        page = events_after(self.get_object(), words["after"], limit=words["limit"])
        return Response(EventPageSerializer(page).data)

    @extend_schema(
        parameters=[ExportWords],
        responses={(200, "text/csv"): str, (200, "application/jsonl"): str},
    )
    @action(detail=False, content_negotiation_class=AnyAccept, pagination_class=None)
    def export(self, request: Request) -> StreamingHttpResponse:
        """The whole history, or what the filter finds of it, as a file that comes line by line."""
        form = words_in(request, ExportWords)["form"]
        upgrades = self.filter_queryset(self.get_queryset())
        lines = history_csv(upgrades) if form == "csv" else history_json_lines(upgrades)
        return as_file(lines, name=f"history {clock.now():%Y-%m-%d}", form=form)

    def _created(self, upgrade: Upgrade) -> Response:
        return created(self.get_serializer(upgrade).data, route="upgrades", request=self.request)
