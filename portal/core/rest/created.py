"""Saying what was created, and where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import status
from rest_framework.mixins import CreateModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse


def created(data: Mapping[str, Any], *, route: str, request: Request) -> Response:
    """201 with the new thing; `route` names the list that it is in now, and Location is its address."""
    return Response(
        data,
        status=status.HTTP_201_CREATED,
        headers={"Location": _address(data, route=route, request=request)},
    )


class Creates(CreateModelMixin):
    """A view whose POST makes one thing more of its list; `route` as above."""

    route: str

    def get_success_headers(self, data: Mapping[str, Any]) -> dict[str, str]:
        request: Request = self.request  # type: ignore[attr-defined]
        return {"Location": _address(data, route=self.route, request=request)}


def _address(data: Mapping[str, Any], *, route: str, request: Request) -> str:
    return reverse(f"{route}-detail", kwargs={"pk": data["id"]}, request=request)
