"""Whoever calls the API in a test."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from portal.core.actors import PORTAL
from portal.core.tokens import create_token

ROOT = "/api/v1/"


@dataclass(frozen=True)
class Answer:
    status: int
    media_type: str
    headers: dict[str, str]
    body: Any
    """The JSON in it; None when it is empty."""


class Caller:
    """Calls with a token of `user`, as a program would; with none when `user` is None."""

    def __init__(self, user: User | None) -> None:
        self.user = user
        self.client = APIClient()
        self.headers: dict[str, str] = {}
        if user is not None:
            token = create_token(user=user, name="tests", actor=PORTAL)
            self.headers = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
            self.client.credentials(**self.headers)

    def with_key(self, key: str) -> Caller:
        """The same caller, who sends this Idempotency-Key with everything."""
        twin = copy.copy(self)
        twin.client = APIClient()
        twin.client.credentials(**self.headers, HTTP_IDEMPOTENCY_KEY=key)
        return twin

    def get(self, path: str, **query: str | int | list[str]) -> Answer:
        return _answer(self.client.get(_url(path), query))

    def post(self, path: str, **order: object) -> Answer:
        return _answer(self.client.post(_url(path), order, format="json"))

    def patch(self, path: str, **order: object) -> Answer:
        return _answer(self.client.patch(_url(path), order, format="json"))

    def delete(self, path: str) -> Answer:
        return _answer(self.client.delete(_url(path)))

    def upload(self, path: str, content: bytes, **fields: str) -> Answer:
        file = SimpleUploadedFile("upload", content)
        return _answer(self.client.post(_url(path), {"file": file, **fields}, format="multipart"))

    def raw(self, path: str, content: bytes, *, media_type: str = "application/json") -> Answer:
        return _answer(self.client.post(_url(path), content, content_type=media_type))


def _url(path: str) -> str:
    return path if path.startswith(("/", "http")) else ROOT + path


def _answer(response: Any) -> Answer:  # noqa: ANN401 - the client's own kind of response
    content = response.getvalue()
    return Answer(
        status=response.status_code,
        media_type=response.headers.get("Content-Type", ""),
        headers=dict(response.headers),
        body=json.loads(content) if content and content[:1] in b"{[" else None,
    )
