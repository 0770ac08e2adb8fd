"""One request to one address, with an order that makes sense there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.access.addresses import API, SEED_API, Question
from tests.access.world import World

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

UPLOADS = (
    "api/v1/artifacts",
    "api/v1/artifacts/build/<slug:kind>",
    "api/v1/update-modules",
)
WRITE = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM) "?(\w+)')


def status_of(browser: Client, world: World, question: Question, *, by: User) -> int:
    """The status of the answer, which was read to its end."""
    answer: Any = _answer(browser, world, question, by=by)
    if answer.streaming:
        b"".join(answer)
    return int(answer.status_code)


def tables_written(queries: CaptureQueriesContext) -> set[str]:
    """The tables that these queries wrote to."""
    writes = (WRITE.match(query["sql"]) for query in queries.captured_queries)
    return {write[1] for write in writes if write}


def _answer(browser: Client, world: World, question: Question, *, by: User) -> Answer:
    address = world.address(question.route, by=by)
    if question.method == "GET":
        return browser.get(address)
    if question.method == "DELETE":
        return browser.delete(f"{address}?reason=Because")
    if question.route in UPLOADS:
        file = ContentFile(b"nothing", "file")
        return browser.post(address, {"file": file, "name": "web-file"})
    if question.route.startswith((API, SEED_API)):
        order = world.body(question.route)
        send = {"POST": browser.post, "PATCH": browser.patch, "PUT": browser.put}[question.method]
        return send(address, order, content_type="application/json")
    return browser.post(address)
