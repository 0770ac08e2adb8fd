"""The logs that devices send when an update failed there."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from devices.models import Device
from updates import journal
from updates.models import UpgradeEvent
from updates.output import OutputBuffer
from updates.services.pulled.rows import heard_now, locked_offered

CALL: Final = "device log"
LOGS: Final = "logs"
"""The fact that holds the digests of the logs that are kept."""
MOST_LOGS: Final = 3
READABLE_BYTES: Final = 2 * 2**20
"""A longer one is not taken apart: made to be dear, it would take many times its size in memory."""


def keep_log(*, device: Device, upgrade_id: UUID, body: bytes) -> None:
    """The log is in the upgrade's history as output, whether that is over or not; one that is there already stays there once.

    As lines if it can be read, else as it came: a client that cuts its log off must not send it for ever. Of a long one its
    beginning and its end (`OUTPUT_LIMIT_BYTES`). NotOffered when the device knows of no such upgrade.
    """
    digest = hashlib.sha256(body).hexdigest()
    with transaction.atomic():
        row = locked_offered(device, upgrade_id)
        kept = row.facts.get(LOGS, [])
        if digest in kept or len(kept) >= MOST_LOGS:
            return
        output = _pieces(readable(body))
        journal.walk(row, output=output, facts=row.facts | heard_now(row) | {LOGS: [*kept, digest]})


def readable(body: bytes) -> bytes:
    """Each message on a line with its time and level; the body itself when it holds no such messages, or is very long."""
    if len(body) > READABLE_BYTES:
        return body
    try:
        lines = [
            f"{one['timestamp']} {one['level']}: {one['message']}\n"
            for one in json.loads(body)["messages"]
        ]
    except (ValueError, KeyError, TypeError, RecursionError):
        return body
    return "".join(lines).encode(errors="replace")


def _pieces(log: bytes) -> list[UpgradeEvent]:
    buffer = OutputBuffer(
        secrets=(),
        chunk_bytes=settings.OUTPUT_CHUNK_BYTES,
        chunk_seconds=settings.OUTPUT_CHUNK_SECONDS,
        clock=time.monotonic,
        limit_bytes=settings.OUTPUT_LIMIT_BYTES,
    )
    texts = [*buffer.feed(log), *buffer.drain()]
    return [
        UpgradeEvent(kind=UpgradeEvent.Kind.OUTPUT, call=CALL, text=text, data={"end": buffer.end})
        for text in texts
    ]
