"""Artifacts in the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from django import forms
from django.http import QueryDict
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from portal.core.downloads import MEDIA_TYPE, download
from portal.core.rest.created import created
from portal.core.rest.files import AnyAccept
from portal.core.rest.once import once, order_of, takes_key
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.parsers import UploadParser
from portal.core.rest.permissions import actor_in
from updates.admin_views.build import built
from updates.admin_views.build_form import FORMS, BuildForm
from updates.models import Artifact
from updates.services.artifacts import delete_artifact, keep_artifact, received_artifact
from updates.services.fetching import file_of

FILE_HEADERS: Final = [
    OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="`bytes=1000-`"),
    OpenApiParameter(
        "If-Range",
        str,
        OpenApiParameter.HEADER,
        description="The ETag that the first part came with: another file comes whole.",
    ),
]
FILE_ANSWERS: Final = {
    (200, MEDIA_TYPE): OpenApiTypes.BINARY,
    (206, MEDIA_TYPE): OpenApiTypes.BINARY,
    304: OpenApiResponse(description="It is the one that If-None-Match names."),
}


class PayloadFileSerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    sha256 = serializers.CharField()


class ArtifactSerializer(serializers.ModelSerializer[Artifact]):
    """What was read out of the file when it was uploaded. Nothing of it ever changes."""

    device_types = serializers.ListField(child=serializers.CharField())
    depends_names = serializers.ListField(child=serializers.CharField())
    depends_groups = serializers.ListField(child=serializers.CharField())
    depends = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="What a device must provide: one of the values for each key.",
    )
    provides = serializers.DictField(child=serializers.CharField())
    clears_provides = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="Globs of what goes first; null: everything does.",
    )
    scripts = serializers.ListField(child=serializers.CharField())
    files = PayloadFileSerializer(many=True)
    warnings = serializers.ListField(child=serializers.CharField())
    release = serializers.IntegerField(source="release_id", help_text="The id of its release.")
    signed_by = serializers.CharField(
        source="signed_by.name",
        allow_null=True,
        default=None,
        help_text="The name of the trusted key that signed it; null: none of them did.",
    )
    uploaded_by = serializers.CharField(
        source="uploaded_by.username", allow_null=True, default=None
    )

    class Meta:
        model = Artifact
        fields = (
            "id", "name", "release", "group", "payload_type", "device_types", "depends_names",
            "depends_groups", "depends", "provides", "clears_provides", "meta_data", "scripts",
            "files", "warnings", "is_signed", "signed_by", "size", "unpacked_size", "sha256", "notes",
            "uploaded_by", "uploaded_at",
        )  # fmt: skip
        read_only_fields = fields


class ArtifactUploadSerializer(serializers.Serializer[dict[str, Any]]):
    file = serializers.FileField(allow_empty_file=True, help_text="A Mender Artifact, version 3.")
    notes = serializers.CharField(max_length=2000, default="", allow_blank=True)


BUILD_REQUEST: Final[dict[str, Any]] = {
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "device_types": {
                "type": "string",
                "description": 'With blanks between them: box "Raspberry Pi 4".',
            },
            "notes": {"type": "string"},
        },
        "required": ["name", "device_types"],
        "additionalProperties": True,
    }
}
"""What all kinds have."""
NAMED: Final = 10


def _build_form(request: Request, kind: str) -> BuildForm:
    """The kind's form, as the request filled it in; what it does not say is as on a page that was just opened."""
    if kind not in FORMS:
        raise NotFound(f"There is no kind {kind[:100]!r}: there are {', '.join(FORMS)}.")
    form_class = FORMS[kind][1]
    known, data = form_class.base_fields, cast(QueryDict, request.data)
    if unknown := sorted(set(data) - set(known)):
        raise serializers.ValidationError(
            {name[:100]: [f"The kind {kind} has no such field."] for name in unknown[:NAMED]}
        )
    given = QueryDict(mutable=True)
    for name, field in known.items():
        if name in data:
            given.setlist(name, [value for value in data.getlist(name) if isinstance(value, str)])
        elif first := _first(field):
            given[name] = first
    return form_class(given, request.FILES)


def _first(field: forms.Field) -> str:
    """What a browser would send for a field that nobody touched."""
    if field.initial is not None:
        return "on" if field.initial is True else str(field.initial or "")
    if isinstance(field, forms.ChoiceField) and field.required:
        return next(iter(cast(Iterable[tuple[str, str]], field.choices)))[0]
    return ""


class Artifacts(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Artifact]):
    """What can be deployed."""

    queryset = Artifact.objects.select_related("uploaded_by", "signed_by")
    serializer_class = ArtifactSerializer
    filterset_fields = ("name", "release", "payload_type", "sha256")
    ordering = ("-uploaded_at", "-id")
    lookup_value_converter = "uuid"
    parser_classes = (UploadParser,)

    @extend_schema(request=ArtifactUploadSerializer, responses={201: ArtifactSerializer})
    @takes_key
    def create(self, request: Request) -> Response:
        """Upload an artifact: it is verified as it comes in, and a file that breaks a rule leaves nothing behind."""
        upload, actor = order_in(request, ArtifactUploadSerializer), actor_in(request)
        with order_of(request) as order:
            if order.answer is not None:
                return order.answer
            with received_artifact(actor=actor, **upload) as artifact:
                return order.carry_out(lambda: self._kept(artifact))

    @extend_schema(request=BUILD_REQUEST, responses={201: ArtifactSerializer})
    @action(detail=False, methods=["post"], url_path="build/<slug:kind>")
    @once
    def build(self, request: Request, kind: str) -> Response:
        """Put an artifact together, with the fields of the page *Build artifact*: each kind has its own."""
        actor = actor_in(request)
        actor.require("updates.upload_artifact")
        form = _build_form(request, kind)
        form.allow_signing(actor)
        if not form.is_valid():
            raise serializers.ValidationError(
                {name: [str(text) for text in texts] for name, texts in form.errors.items()}
            )
        artifact = built(form, actor=actor)
        return created(self.get_serializer(artifact).data, route="artifacts", request=request)

    @extend_schema(parameters=FILE_HEADERS, responses=FILE_ANSWERS)
    @action(detail=True, content_negotiation_class=AnyAccept)
    def file(self, request: Request, **_path: object) -> HttpResponseBase:
        """The artifact as it was uploaded, byte for byte. A download that broke off goes on with `Range`."""
        return download(request._request, file_of(self.get_object()))

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Delete an artifact that no device ever got, and its file."""
        reason = words_in(request, ReasonSerializer)["reason"]
        delete_artifact(artifact=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _kept(self, artifact: Artifact) -> Response:
        keep_artifact(artifact=artifact, actor=actor_in(self.request))
        return created(self.get_serializer(artifact).data, route="artifacts", request=self.request)
