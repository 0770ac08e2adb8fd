"""Bodies of requests within a limit, announced or in chunks. That chunks really arrive is for tests/running to see."""

from __future__ import annotations

import io

import pytest
from django.http import HttpRequest
from django.test import RequestFactory

from portal.core.errors import TooLarge
from portal.core.request_body import body_stream, is_chunked, read_body

LIMIT = 1000


def announced(body: bytes) -> HttpRequest:
    return RequestFactory().post("/", body, content_type="application/json")


def in_chunks(body: bytes, coding: str = "chunked") -> HttpRequest:
    """As granian hands it on."""
    request = RequestFactory().post("/", content_type="application/json")
    request.META |= {
        "CONTENT_LENGTH": "",
        "HTTP_TRANSFER_ENCODING": coding,
        "wsgi.input": io.BytesIO(body),
    }
    return request


@pytest.mark.parametrize("made", [announced, in_chunks])
@pytest.mark.parametrize("size", [0, 1, LIMIT])
def test_the_body_is_byte_for_byte_what_came(made: object, size: int) -> None:
    assert callable(made)
    body = b"\x00\xff\n" * LIMIT
    assert read_body(made(body[:size]), limit_bytes=LIMIT) == body[:size]


@pytest.mark.parametrize("made", [announced, in_chunks])
def test_one_byte_more_is_too_long(made: object) -> None:
    assert callable(made)
    with pytest.raises(TooLarge, match="1000 bytes"):
        read_body(made(bytes(LIMIT + 1)), limit_bytes=LIMIT)


def test_what_announces_too_much_is_refused_before_anything_is_read() -> None:
    request = announced(bytes(LIMIT + 1))
    with pytest.raises(TooLarge):
        body_stream(request, limit_bytes=LIMIT)
    assert request.read(1) == b"\0"


def test_no_more_than_one_byte_beyond_the_limit_is_read() -> None:
    source = io.BytesIO(bytes(10 * LIMIT))
    request = in_chunks(b"")
    request.META["wsgi.input"] = source
    with pytest.raises(TooLarge):
        read_body(request, limit_bytes=LIMIT)
    assert source.tell() == LIMIT + 1


@pytest.mark.parametrize(
    ("coding", "says"), [("chunked", True), ("gzip, Chunked", True), ("gzip", False)]
)
def test_what_is_chunked(coding: str, says: bool) -> None:
    assert is_chunked(in_chunks(b"x", coding)) is says


def test_an_announced_length_is_believed() -> None:
    request = announced(b"abc")
    request.META["HTTP_TRANSFER_ENCODING"] = "chunked"
    assert not is_chunked(request)
