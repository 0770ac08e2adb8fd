"""Bodies of requests that come without a length: some clients send all of theirs in chunks."""

from __future__ import annotations

from typing import Protocol

from django.http import HttpRequest

from portal.core.errors import TooLarge


class Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class LimitedBody:
    """A body as it comes in, to be read forward. TooLarge as soon as it turns out to have more than `limit_bytes`."""

    def __init__(self, source: Readable, *, limit_bytes: int) -> None:
        self._source = source
        self._limit_bytes = limit_bytes
        self._left = limit_bytes

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size` of them; none at the end. Never more than one byte beyond the limit is read."""
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        piece = self._source.read(wanted)
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge(f"The request has more than {self._limit_bytes} bytes.")
        return piece


def is_chunked(request: HttpRequest) -> bool:
    """Whether the body says where it ends only by ending. Django takes such a body to be empty."""
    return (
        not request.META.get("CONTENT_LENGTH")
        and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    )


def body_stream(request: HttpRequest, *, limit_bytes: int) -> LimitedBody:
    """The body, with a length or in chunks, not read yet. TooLarge at once when it announces more than the limit."""
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isdecimal() and int(announced[:19]) > limit_bytes:
        raise TooLarge(f"The request has more than {limit_bytes} bytes.")
    source: Readable = request.META["wsgi.input"] if is_chunked(request) else request
    return LimitedBody(source, limit_bytes=limit_bytes)


def read_body(request: HttpRequest, *, limit_bytes: int) -> bytes:
    """The whole body. TooLarge, with no more than a byte beyond the limit read, if it is longer than that."""
    body, parts = body_stream(request, limit_bytes=limit_bytes), []
    while part := body.read():
        parts.append(part)
    return b"".join(parts)
