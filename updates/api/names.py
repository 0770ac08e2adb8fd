"""Things as other things name them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class NamedDevice(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class NamedArtifact(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
