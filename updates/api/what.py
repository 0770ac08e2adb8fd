"""What an order is about."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from updates.models import Artifact, Release


class WhatSerializer(serializers.Serializer[dict[str, Any]]):
    """A release, of which each device gets the artifact that fits it; or one artifact."""

    release = serializers.SlugRelatedField(
        slug_field="name", queryset=Release.objects.all(), required=False, help_text="By its name."
    )
    artifact = serializers.PrimaryKeyRelatedField(
        queryset=Artifact.objects.select_related("release"),
        pk_field=serializers.UUIDField(),
        required=False,
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = super().validate(attrs)
        if "release" not in given and "artifact" not in given:
            raise serializers.ValidationError({"artifact": "Name a release or an artifact."})
        if "release" in given and "artifact" in given:
            raise serializers.ValidationError({"release": "Name a release or an artifact."})
        return given
