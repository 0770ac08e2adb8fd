"""How the API says that something went wrong: problem details (RFC 9457), one shape for everything."""

from __future__ import annotations

from typing import Final

from rest_framework import serializers

MEDIA_TYPE: Final = "application/problem+json"


class Problem(serializers.Serializer[dict[str, object]]):
    """Fields that not every problem has are absent where they would say nothing."""

    type = serializers.CharField(help_text="Names the kind of problem; no page is behind it.")
    title = serializers.CharField(help_text="The kind of problem in a few words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="What is wrong this time: a sentence for an operator.")
    code = serializers.CharField(help_text="Stable: never changes its meaning.")
    retryable = serializers.BooleanField(help_text="Whether the same request may work later.")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="Sentences for each field of the request, by its dotted name.",
    )
    rule = serializers.CharField(
        required=False, help_text="The rule that what was given breaks: a stable word."
    )
    holder = serializers.UUIDField(
        required=False, help_text="The upgrade that the device is busy with."
    )
