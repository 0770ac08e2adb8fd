"""What a request asks for, in the shape that its serializer gives it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

Shape = type[serializers.Serializer[dict[str, Any]]]


class ReasonSerializer(serializers.Serializer[dict[str, Any]]):
    reason = serializers.CharField(max_length=2000, help_text="Why: it is kept in the history.")


def order_in(request: Request, shape: Shape) -> dict[str, Any]:
    """The request's body, checked. DRF's ValidationError names the fields that are wrong."""
    order = shape(data=request.data)
    order.is_valid(raise_exception=True)
    return dict(order.validated_data)


def words_in(request: Request, shape: Shape) -> dict[str, Any]:
    """The words of the request's query, checked likewise."""
    words = shape(data=request.query_params)
    words.is_valid(raise_exception=True)
    return dict(words.validated_data)
