"""`Idempotency-Key`: a POST that a client may safely send again when it does not know whether the first one arrived."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar, cast

from django.contrib.auth.models import User
from django.core.files.base import File
from django.db import DatabaseError
from django.http import QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from portal.core.idempotency import StoredAnswer, Turn, take_turn

if TYPE_CHECKING:  # DRF imports the schema's module, and so this one, while it makes its views
    from rest_framework.request import Request
    from rest_framework.views import APIView

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotent-Replayed"
KEPT_HEADERS: Final = ("Location",)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")

_Method = TypeVar("_Method", bound=Callable[..., Response])


class Order:
    """One request, that may have come before."""

    def __init__(self, turn: Turn | None) -> None:
        self._turn = turn

    @property
    def answer(self) -> Response | None:
        """What the request was answered with before; None: it is new."""
        stored = self._turn.answer if self._turn else None
        if stored is None:
            return None
        return Response(
            stored.body, status=stored.status, headers={**stored.headers, REPLAYED: "true"}
        )

    def carry_out(self, effect: Callable[[], Response]) -> Response:
        """The effect has taken place, and its answer is kept with it, in one transaction."""
        if self._turn is None:
            return effect()
        answers: list[Response] = []

        def carried_out() -> StoredAnswer:
            answers.append(effect())
            return _stored(answers[0])

        self._turn.carry_out(carried_out)
        return answers[0]


@contextmanager
def order_of(request: Request) -> Iterator[Order]:
    """The request as an order that is carried out once. If the block fails, it had no effect and may be sent again."""
    key = request.headers.get(HEADER)
    if key is None:
        yield Order(None)
        return
    if not _KEY.fullmatch(key):
        raise ValidationError({HEADER: ["1 to 200 visible ASCII characters."]})
    turn = take_turn(user=cast(User, request.user), key=key, digest=_digest(request))
    try:
        yield Order(turn)
    except BaseException:
        with suppress(DatabaseError):  # the claim lapses by itself, and what failed matters more
            turn.give_up()
        raise


def once(method: _Method) -> _Method:
    """A view's method, all of whose effect is in the database: with an Idempotency-Key it takes place once."""

    @functools.wraps(method)
    def view(self: APIView, request: Request, **path: object) -> Response:
        with order_of(request) as order:
            if order.answer is not None:
                return order.answer
            return order.carry_out(lambda: method(self, request, **path))

    return takes_key(cast(_Method, view))


def takes_key(method: _Method) -> _Method:
    """The method, described as one that heeds an Idempotency-Key."""
    method.takes_key = True  # type: ignore[attr-defined]
    return method


def _stored(response: Response) -> StoredAnswer:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = json.loads(JSONRenderer().render(response.data) or b"null")
    return StoredAnswer(response.status_code, headers, body)


def _digest(request: Request) -> str:
    """Tells orders apart: where they go, and every byte of what they ask for."""
    data = request.data
    fields = dict(data.lists()) if isinstance(data, QueryDict) else data
    order = {"to": f"{request.method} {request.path}", "fields": fields}
    text = json.dumps(order, sort_keys=True, default=_file_digest)
    return hashlib.sha256(text.encode()).hexdigest()


def _file_digest(file: File[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return f"sha256:{digest.hexdigest()}"
