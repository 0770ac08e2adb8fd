"""Who may use the API at all, and who may see what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import IsAuthenticated

from portal.core.actors import Actor, actor_of

if TYPE_CHECKING:  # DRF imports this module while it makes its views
    from rest_framework.request import Request
    from rest_framework.views import APIView


class MayView(IsAuthenticated):
    """A view shows its model to those who hold the model's view permission. What has an effect asks for more, in its service."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not super().has_permission(request, view):
            return False
        meta = view.queryset.model._meta  # type: ignore[attr-defined]
        actor_in(request).require(f"{meta.app_label}.view_{meta.model_name}")
        return True


def actor_in(request: Request) -> Actor:
    """The actor behind the request."""
    return actor_of(request.user)
