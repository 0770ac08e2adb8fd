"""Things as other things name them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from updates.models import choices
from updates.plan import Kind


class NamedDevice(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class NamedArtifact(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class NamedInstance(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class NamedRelease(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


def upgrade_kinds() -> list[tuple[str, str]]:
    """The kinds of upgrades, as the API's description names them (settings: ENUM_NAME_OVERRIDES)."""
    return choices(Kind)
