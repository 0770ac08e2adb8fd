"""Repositories of modules in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from portal.core.rest.created import created
from portal.core.rest.once import once
from portal.core.rest.order import ReasonSerializer, order_in, words_in
from portal.core.rest.permissions import actor_in
from updates.models import Repository
from updates.services.repositories import (
    add_repository,
    change_repository,
    remove_repository,
    request_fetch,
)


class RepositorySerializer(serializers.ModelSerializer[Repository]):
    """`error` says why the last fetch failed; what is offered is from the last one that did not, of `fetched_at`."""

    added_by = serializers.CharField(source="added_by.username", allow_null=True, default=None)
    is_being_fetched = serializers.BooleanField()

    class Meta:
        model = Repository
        fields = (
            "id", "name", "url", "is_enabled", "is_testing", "packages", "fetched_at", "is_being_fetched",
            "error", "error_at", "added_by", "added_at",
        )  # fmt: skip
        read_only_fields = fields


class NewRepositorySerializer(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField(max_length=100)
    url = serializers.CharField(max_length=300, help_text="Where its repodata.json is.")
    is_testing = serializers.BooleanField(default=False, help_text="Offer pre-releases, too.")


class EditRepositorySerializer(serializers.Serializer[dict[str, Any]]):
    """What is left out stays as it is."""

    is_enabled = serializers.BooleanField(required=False)
    is_testing = serializers.BooleanField(required=False)


class Repositories(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Repository]):
    """Where modules are published. Of two with the same module, the one whose name comes last is listened to."""

    queryset = Repository.objects.select_related("added_by").defer("index")
    serializer_class = RepositorySerializer
    filterset_fields = ("name", "is_enabled")
    ordering = ("name",)
    lookup_value_converter = "int"

    @extend_schema(request=NewRepositorySerializer, responses={201: RepositorySerializer})
    @once
    def create(self, request: Request) -> Response:
        """Add a repository. Its index is fetched right now; what is wrong with it is said by a word in `rule`."""
        actor = actor_in(request)
        actor.require("updates.add_repository")
        repository = add_repository(actor=actor, **order_in(request, NewRepositorySerializer))
        data = self.get_serializer(repository).data
        return created(data, route="repositories", request=request)

    @extend_schema(request=EditRepositorySerializer, responses=RepositorySerializer)
    def partial_update(self, request: Request, **_path: object) -> Response:
        """Enable or disable it, and its pre-releases."""
        actor = actor_in(request)
        actor.require("updates.change_repository")
        given, repository = order_in(request, EditRepositorySerializer), self.get_object()
        change_repository(
            repository=repository,
            is_enabled=given.get("is_enabled", repository.is_enabled),
            is_testing=given.get("is_testing", repository.is_testing),
            actor=actor,
        )
        return Response(self.get_serializer(repository).data)

    @extend_schema(parameters=[ReasonSerializer])
    def destroy(self, request: Request, **_path: object) -> Response:
        """Remove a repository. What was installed from it stays."""
        reason = words_in(request, ReasonSerializer)["reason"]
        remove_repository(repository=self.get_object(), actor=actor_in(request), reason=reason)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: RepositorySerializer})
    @action(detail=True, methods=["post"])
    @once
    def fetch(self, request: Request, **_path: object) -> Response:
        """Have a worker fetch the index."""
        repository = request_fetch(repository=self.get_object(), actor=actor_in(request))
        return Response(self.get_serializer(repository).data, status=status.HTTP_202_ACCEPTED)
