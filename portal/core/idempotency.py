"""Orders that may be sent twice and are carried out once: the second time they get the first time's answer.

An order is claimed in a transaction of its own, so that its twin sees it at once. Its effect and its answer are then written in
one transaction: after a crash there are both or neither. A claim without an answer lapses, and the next twin carries the order
out; should the first one still be at it, only the one that holds the claim can commit.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.core.errors import Conflict, Refused
from portal.core.models import IdempotencyKey

KEPT: Final = timedelta(hours=24)
CLAIM: Final = timedelta(minutes=2)
"""How long a twin is told to come again, after a crash at the worst. An order that takes longer may be overtaken by its twin."""
COME_AGAIN_SECONDS: Final = 5


class KeyReused(Refused):
    """Another order was sent under this key."""

    code = "API-IDEMPOTENCY-MISMATCH"


class OrderUnderWay(Conflict):
    """The same order is being carried out right now; its answer will be there in `retry_after_seconds` or so."""

    code = "API-IDEMPOTENCY-UNDER-WAY"

    def __init__(self, sentence: str, *, retry_after_seconds: int) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What an order was answered with: HTTP status, the headers that matter, and the JSON."""

    status: int
    headers: dict[str, str]
    body: Any


class Turn:
    """The right to carry out one order, or its stored `answer`, if it was carried out before."""

    def __init__(self, row: IdempotencyKey) -> None:
        self._row = row

    @property
    def answer(self) -> StoredAnswer | None:
        row = self._row
        return None if row.status is None else StoredAnswer(row.status, row.headers, row.body)

    def carry_out(self, order: Callable[[], StoredAnswer]) -> None:
        """The order's effect and its answer are in the database, in one transaction. Whatever fails leaves neither."""
        with transaction.atomic():
            answer = order()
            kept = self._mine().update(
                status=answer.status, headers=answer.headers, body=answer.body
            )
            if not kept:
                raise _under_way(self._row.claimed_until)

    def give_up(self) -> None:
        """The order had no effect: it may be sent again at once, or another one under its key."""
        self._mine().delete()

    def _mine(self) -> Any:  # noqa: ANN401 - a QuerySet
        return IdempotencyKey.objects.filter(pk=self._row.pk, claim=self._row.claim, status=None)


def take_turn(*, user: User, key: str, digest: str) -> Turn:
    """The caller's turn to carry out the order with this digest, unless it was before: then its answer.

    KeyReused when the key stands for another order, OrderUnderWay while somebody else carries it out.
    """
    now = timezone.now()
    claim, until = uuid.uuid4(), now + CLAIM
    row = IdempotencyKey.objects.filter(user=user, key=key).first()
    if row is not None and row.created_at < now - KEPT:
        row.delete()
        row = None
    if row is None:
        try:
            with transaction.atomic():
                return Turn(
                    IdempotencyKey.objects.create(
                        user=user,
                        key=key,
                        digest=digest,
                        claim=claim,
                        claimed_until=until,
                        created_at=now,
                    )
                )
        except IntegrityError:
            raise _under_way(until) from None
    if row.digest != digest:
        raise KeyReused("This Idempotency-Key was sent with another order: use a new one.")
    if row.status is not None:
        return Turn(row)
    if row.claimed_until >= now or not _take_over(row, claim=claim, until=until):
        raise _under_way(row.claimed_until)
    return Turn(row)


def forget_old_keys() -> int:
    """Answers of more than a day ago are gone: how many."""
    gone, _ = IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    return gone


def _take_over(row: IdempotencyKey, *, claim: uuid.UUID, until: datetime) -> bool:
    lapsed = IdempotencyKey.objects.filter(pk=row.pk, claim=row.claim, status=None)
    taken = lapsed.update(claim=claim, claimed_until=until)
    row.claim, row.claimed_until = claim, until
    return bool(taken)


def _under_way(until: datetime) -> OrderUnderWay:
    left = int((until - timezone.now()).total_seconds()) + 1
    return OrderUnderWay(
        "The same order is being carried out right now: ask again for its answer.",
        retry_after_seconds=max(1, min(left, COME_AGAIN_SECONDS)),
    )
