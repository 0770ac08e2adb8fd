"""Reading requests, with limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, Final

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser, MultiPartParser

JSON_LIMIT_BYTES: Final = 2**20
FORM_MARGIN_BYTES: Final = 2**20
"""What a multipart request may have besides its file."""


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class LimitedJsonParser(JSONParser):
    """At most 1 MiB of JSON, of a sane depth, and every string in it text that a database and an answer can hold."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        _limit(parser_context, limit=JSON_LIMIT_BYTES)
        try:
            data = super().parse(stream, media_type, parser_context)
            text = json.dumps(data, ensure_ascii=False)
            text.encode()
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        except UnicodeEncodeError:
            raise ParseError("A string holds half of a surrogate pair.") from None
        if "\\u0000" in text:
            raise ParseError("A string holds the character NUL.")
        return data


class UploadParser(MultiPartParser):
    """multipart/form-data with a file of at most `settings.UPLOAD_LIMIT_BYTES`."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - DRF's own DataAndFiles
        _limit(parser_context, limit=settings.UPLOAD_LIMIT_BYTES + FORM_MARGIN_BYTES)
        return super().parse(stream, media_type, parser_context)


def _limit(parser_context: Mapping[str, Any] | None, *, limit: int) -> None:
    """Nothing, or TooLarge. The length that is announced is all that the server hands on."""
    announced = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or ""
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"A request of this kind has at most {limit} bytes; this one has more.")
