"""Files from the storage as answers, whole or in part, so that what broke off goes on where it was (RFC 9110, sections 13, 14).

They are streamed, and never packed on the way: a device's client wants their length, and their bytes are what a digest is of.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from django.core.files import File
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header

from portal.core.stored import open_stored
from portal.core.transfers import WAIT_SECONDS, Promised, Transfer, transfers

PIECE_BYTES: Final = 256 * 1024
MEDIA_TYPE: Final = "application/octet-stream"
ONE_RANGE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")
"""Of several ranges at once, and of what is no range, the server may answer with the whole."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`name` in the storage, and what it is `called` when somebody saves it. It never changes: `sha256` names its content."""

    name: str
    called: str
    size: int
    sha256: str


def download(
    request: HttpRequest, file: StoredFile, *, promised: Promised | None = None
) -> HttpResponseBase:
    """The file, or the part of it that `Range` asks for: 200, 206, 304, 412 or 416, to GET and HEAD alike.

    Its ETag is its digest. StorageUnavailable when the storage does not have it, or is away; PortalBusy. Whoever was promised
    the file waits a while before hearing either.
    """
    etag = f'"{file.sha256}"'
    early = get_conditional_response(request, etag=etag)
    if early is not None:
        return _described(early, etag=etag)
    asked = _range_of(request, etag=etag)
    part = range(file.size) if asked is None else _part(asked, size=file.size)
    if part is None:
        none = HttpResponse(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        none["Content-Range"] = f"bytes */{file.size}"
        return _described(none, etag=etag)
    if request.method == "HEAD":
        answer: HttpResponseBase = HttpResponse(content_type=MEDIA_TYPE)
    else:
        begun = _begun(file.name, part, promised)
        answer = StreamingHttpResponse(begun, content_type=MEDIA_TYPE)
    return _described(_headed(answer, file, part, is_whole=asked is None), etag=etag)


def _headed(
    answer: HttpResponseBase, file: StoredFile, part: range, *, is_whole: bool
) -> HttpResponseBase:
    answer["Content-Length"] = str(len(part))
    disposition = content_disposition_header(as_attachment=True, filename=file.called)
    answer["Content-Disposition"] = disposition or "attachment"
    if not is_whole:
        answer.status_code = HTTPStatus.PARTIAL_CONTENT
        answer["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    return answer


def _described(answer: HttpResponseBase, *, etag: str) -> HttpResponseBase:
    answer["ETag"] = etag
    answer["Accept-Ranges"] = "bytes"
    # no-transform: no proxy packs it on the way either.
    answer["Cache-Control"] = "private, no-transform"
    return answer


def _range_of(request: HttpRequest, *, etag: str) -> tuple[str, str] | None:
    """First and last byte as the request writes them; None when the whole file is the answer."""
    if request.method != "GET" or request.headers.get("If-Range", etag) != etag:
        return None
    found = ONE_RANGE.fullmatch(request.headers.get("Range", ""))
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    is_backward = bool(first and last) and int(last) < int(first)
    return None if is_backward else (first, last)


def _part(asked: tuple[str, str], *, size: int) -> range | None:
    """The bytes that are asked for, as far as the file has them; None when it has none of them."""
    first, last = asked
    if not first:  # the last so many
        first, last = str(max(0, size - int(last))), ""
    part = range(int(first), min(size, int(last) + 1) if last else size)
    return part if len(part) else None


def _begun(name: str, part: range, promised: Promised | None) -> _Part:
    if promised is None:
        transfer = transfers.begin()
    else:  # on a promise it begins once: who goes on where it broke off has used it
        by = "" if part.start else promised.by
        transfer = transfers.begin_promised(promised.to, by=by)
    try:
        file = open_stored(name, wait_seconds=WAIT_SECONDS if promised else 0)
        return _Part(file, part, transfer)
    except BaseException:
        transfer.end()
        raise


class _Part:
    """The bytes `part` of `file`, in pieces. Django closes it with the answer, read to its end or not."""

    def __init__(self, file: File[bytes], part: range, transfer: Transfer) -> None:
        self._file = file
        self._transfer = transfer
        self._left = len(part)
        file.seek(part.start, io.SEEK_SET)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece: bytes = self._file.read(min(PIECE_BYTES, self._left))
        if not piece:
            self.close()
            raise StopIteration
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._transfer.end()
        self._file.close()
