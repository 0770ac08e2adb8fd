"""Reading an upload as it comes in, whether its length was announced or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files import File
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from portal.core.request_body import body_stream
from portal.mender_management.errors import NotRead

MARGIN_BYTES: Final = 2**20
"""What a form may have besides its file."""
FORM: Final = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Upload:
    file: File[bytes]
    description: str


def upload_in(request: HttpRequest) -> Upload:
    """What the form `size`, `description`, `artifact` holds; its file is in the folder of uploads on their way.

    NotRead when it is no such form, or its file has another size than it says; TooLarge when it has more than an artifact may.
    """
    if request.content_type != FORM:
        raise NotRead(f"An artifact is uploaded as {FORM}.")
    limit = settings.UPLOAD_LIMIT_BYTES + MARGIN_BYTES
    # The parser takes a length of 0 for an empty form, and reads to the stream's end whatever it is told.
    announced = {**request.META, "CONTENT_LENGTH": str(limit)}
    handlers = [TemporaryFileUploadHandler(request)]
    try:
        parser = MultiPartParser(announced, body_stream(request, limit_bytes=limit), handlers)  # type: ignore[arg-type]
        words, files = parser.parse()
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise NotRead("The form cannot be read.") from error
    file = files.get("artifact")
    if file is None:
        raise NotRead("The form holds no file under the name artifact.")
    size = words.get("size", "")
    if size and size != str(file.size):
        raise NotRead(f"The file has {file.size} bytes; the form says {size[:20]}.")
    if words.get("artifact_id"):
        raise NotRead("The portal gives artifacts their ids itself: leave artifact_id out.")
    return Upload(file=file, description=words.get("description", ""))
