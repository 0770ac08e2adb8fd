"""Hot patches in the API: upload, check, apply, revert, delete."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from patches.models import NodeResult, Patch, PatchCheck
from patches.services.applicable import Facts, facts_of, why_not_applicable
from patches.services.patch_checks import request_patch_checks
from patches.services.patch_orders import apply_patch, revert_patch
from patches.services.patches import delete_patch, upload_patch
from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.parsers import LimitedJsonParser, UploadParser
from portal.core.rest.permissions import actor_in
from updates.api.names import NamedInstance
from updates.api.upgrades import UpgradeDetailSerializer
from updates.models import Instance, Module, Upgrade

MOST_INSTANCES = 200


class FileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    size = serializers.IntegerField()
    sha256 = serializers.CharField()
    name = serializers.CharField(help_text="The module's; empty for an assembly.")
    version = serializers.CharField(
        help_text="Of the code, as far as it can be read without a node."
    )
    is_code = serializers.BooleanField(help_text="Whether it is a module, and no assembly.")


class PatchSerializer(serializers.ModelSerializer[Patch]):
    """`known_to` says which nodes know each module, by its path; null until they were asked."""

    module = serializers.CharField(source="module.name")
    composition = FileSerializer(many=True)
    known_to = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), allow_null=True
    )
    uploaded_by = serializers.CharField(source="uploaded_by_name")
    deleted_by = serializers.CharField(source="deleted_by_name")

    class Meta:
        model = Patch
        fields = (
            "id", "name", "module", "version", "size", "sha256", "composition", "known_to", "notes",
            "uploaded_by", "uploaded_at", "deleted_at", "deleted_by",
        )  # fmt: skip
        read_only_fields = fields


class PatchUploadSerializer(serializers.Serializer[dict[str, Any]]):
    file = serializers.FileField(allow_empty_file=True, help_text="A zip archive.")
    module = serializers.SlugRelatedField(
        queryset=Module.objects.all(), slug_field="name", help_text="The module's name."
    )
    version = serializers.CharField(max_length=100, help_text="The one that it was built for.")
    name = serializers.CharField(
        max_length=200, default="", allow_blank=True, help_text="The file's name, if empty."
    )
    notes = serializers.CharField(max_length=2000, default="", allow_blank=True)


class NodeFileSerializer(serializers.Serializer[Any]):
    path = serializers.CharField()
    name = serializers.CharField()
    status = serializers.IntegerField(
        allow_null=True,
        help_text="1 error, 2 not_beam, 3 wrong_path, 4 not_updated, 5 not_changed, 6 ok, 7 not_loaded; null: an assembly.",
    )
    reason = serializers.CharField()
    detail = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class NodeResultSerializer(serializers.ModelSerializer[NodeResult]):
    node = serializers.CharField(source="node_name")
    files = NodeFileSerializer(many=True)

    class Meta:
        model = NodeResult
        fields = (
            "node", "status", "is_reachable", "trouble", "detail", "runtime", "version",
            "needs_restart", "millis", "at", "files",
        )  # fmt: skip
        read_only_fields = fields


class PatchCheckSerializer(serializers.ModelSerializer[PatchCheck]):
    """`integral` is the smallest status of all nodes, null until all have answered."""

    instance = NamedInstance()  # type: ignore[assignment]
    nodes = serializers.SerializerMethodField(help_text="How many nodes are asked.")
    requested_by = serializers.CharField(source="requested_by_name")

    class Meta:
        model = PatchCheck
        fields = (
            "id", "instance", "nodes", "version", "version_says", "refusal", "integral",
            "requested_by", "requested_at", "checked_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_nodes(self, check: PatchCheck) -> int:
        return len(check.nodes)


class PatchCheckDetailSerializer(PatchCheckSerializer):
    stale = serializers.SerializerMethodField(
        help_text="Why it is not to be relied on any more; empty while it is."
    )
    why_not_applicable = serializers.SerializerMethodField(
        help_text="Why the patch cannot be applied there now; empty when it can."
    )
    results = serializers.SerializerMethodField(help_text="What each node answered so far.")

    class Meta(PatchCheckSerializer.Meta):
        fields = (*PatchCheckSerializer.Meta.fields, "stale", "why_not_applicable", "results")  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as DRF has it
        super().__init__(*args, **kwargs)
        self._known: dict[int, Facts] = {}

    def get_stale(self, check: PatchCheck) -> str:
        return self._facts(check).stale

    def get_why_not_applicable(self, check: PatchCheck) -> str:
        return why_not_applicable(check.patch, self._facts(check))

    def _facts(self, check: PatchCheck) -> Facts:
        if check.pk not in self._known:
            (self._known[check.pk],) = facts_of(check.patch, [check.instance])
        return self._known[check.pk]

    @extend_schema_field(NodeResultSerializer(many=True))
    def get_results(self, check: PatchCheck) -> list[dict[str, Any]]:
        found = check.results.order_by("status", "node_name")
        return list(NodeResultSerializer(found, many=True).data)


class PatchChecksOrder(serializers.Serializer[dict[str, Any]]):
    instances = serializers.PrimaryKeyRelatedField(
        queryset=Instance.objects.select_related("module", "device"),
        many=True,
        required=False,
        help_text=f"Of the patch's module, at most {MOST_INSTANCES}; all of the patch's version, if none are named.",
    )

    def validate_instances(self, instances: list[Instance]) -> list[Instance]:
        if len(instances) > MOST_INSTANCES:
            raise serializers.ValidationError(f"At most {MOST_INSTANCES} at a time.")
        return instances


class PatchChecksAsked(serializers.Serializer[dict[str, int]]):
    requested = serializers.IntegerField(help_text="How many instances are being checked.")


class OnInstanceSerializer(ReasonSerializer):
    instance = serializers.PrimaryKeyRelatedField(  # type: ignore[assignment]
        queryset=Instance.objects.select_related("module", "device")
    )


class ApplyPatchSerializer(OnInstanceSerializer):
    override = serializers.BooleanField(
        default=False, help_text="Leave out on each node what the check refuses there."
    )


class Patches(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Patch]):
    """Archives of hot patches, newest first."""

    queryset = Patch.objects.select_related("module")
    serializer_class = PatchSerializer
    filterset_fields = ("name", "module__name", "version")
    ordering = ("-uploaded_at", "-id")
    lookup_value_converter = "uuid"
    parser_classes = (UploadParser, LimitedJsonParser)

    @extend_schema(
        request={"multipart/form-data": PatchUploadSerializer}, responses={201: PatchSerializer}
    )
    @once
    def create(self, request: Request) -> Response:
        """Upload an archive for one version of a module. What is wrong with it is named by `rule`."""
        actor = actor_in(request)
        actor.require("patches.upload_patch")
        patch = upload_patch(actor=actor, **order_in(request, PatchUploadSerializer))
        return created(self.get_serializer(patch).data, route="patches", request=request)

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Delete the archive, so that nobody applies it by accident. The patch, its history and its way back stay."""
        reason = words_in(request, ReasonSerializer)["reason"]
        delete_patch(patch=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        request={"application/json": ApplyPatchSerializer},
        responses={201: UpgradeDetailSerializer},
    )
    @action(detail=True, methods=["post"])
    @once
    def apply(self, request: Request, **_path: object) -> Response:
        """Apply it to an instance, by a new upgrade. Without a fresh check that allows it: 422. 409 names the `holder`."""
        order = order_in(request, ApplyPatchSerializer)
        upgrade = apply_patch(patch=self.get_object(), actor=actor_in(request), **order)
        return self._ordered(upgrade)

    @extend_schema(
        request={"application/json": OnInstanceSerializer},
        responses={201: UpgradeDetailSerializer},
    )
    @action(detail=True, methods=["post"])
    @once
    def revert(self, request: Request, **_path: object) -> Response:
        """Take it back from an instance, by a new upgrade. 409 when it is not in force, or something stands on top."""
        order = order_in(request, OnInstanceSerializer)
        upgrade = revert_patch(patch=self.get_object(), actor=actor_in(request), **order)
        return self._ordered(upgrade)

    def _ordered(self, upgrade: Upgrade) -> Response:
        data = UpgradeDetailSerializer(upgrade, context=self.get_serializer_context()).data
        return created(data, route="upgrades", request=self.request)


class PatchChecks(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[PatchCheck]):
    """What nodes say of a patch before it is applied: one check for each instance, replaced by the next one."""

    queryset = PatchCheck.objects.select_related("instance__module", "patch")
    filterset_fields = ("instance", "integral")
    ordering = ("id",)
    lookup_value_converter = "int"

    def get_serializer_class(self) -> type[PatchCheckSerializer]:
        return PatchCheckSerializer if self.action == "list" else PatchCheckDetailSerializer

    def get_queryset(self) -> QuerySet[PatchCheck]:
        return super().get_queryset().filter(patch=self._patch())

    @extend_schema(request=PatchChecksOrder, responses={202: PatchChecksAsked})
    @once
    def create(self, request: Request, **_path: object) -> Response:
        """Have the nodes asked. Live code is not touched; answers appear as they come: read a check again."""
        patch, order = self._patch(), order_in(request, PatchChecksOrder)
        named = order.get("instances")
        of_version = Instance.objects.filter(module=patch.module_id, version=patch.version)
        chosen = named or of_version.filter(nodes__isnull=False).distinct()[:MOST_INSTANCES]
        checks = request_patch_checks(patch=patch, instances=chosen, actor=actor_in(request))
        return Response({"requested": len(checks)}, status=status.HTTP_202_ACCEPTED)

    def _patch(self) -> Patch:
        actor_in(self.request).require("patches.view_patch")
        return get_object_or_404(Patch.objects.select_related("module"), pk=self.kwargs["patch"])
