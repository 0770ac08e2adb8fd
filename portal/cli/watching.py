"""Watching until the end, from the events that the database holds: it may be left and taken up again at any time."""

from __future__ import annotations

import time
from typing import Final

from django.core.management.base import CommandError
from django.utils import timezone

from portal.cli.find import short
from portal.cli.output import Output
from updates.api.deployments import CountsSerializer
from updates.api.upgrades import UpgradeEventSerializer
from updates.machine import SENTENCES, Outcome
from updates.models import Deployment, ModuleOrder, Upgrade, UpgradeEvent
from updates.progress import Counts, counts
from updates.queries import events_after

LOOK_SECONDS: Final = 0.5


def watch_upgrade(upgrade: Upgrade, *, out: Output) -> None:
    """Every event of the upgrade was printed, to the last."""
    cursor = 0
    while True:
        upgrade.refresh_from_db()
        page = events_after(upgrade, cursor)
        for event in page.events:
            if out.as_json:
                out.line(UpgradeEventSerializer(event).data)
            else:
                out.text(_line(event))
        cursor = page.cursor
        if page.is_end:
            return
        if not page.events:
            time.sleep(LOOK_SECONDS)


def watch_order(order: Deployment | ModuleOrder, *, out: Output) -> Counts:
    """The order is over; each change of its counts was printed."""
    said = None
    while True:
        now = counts(order)
        if now != said:
            said = now
            if out.as_json:
                out.line(CountsSerializer(now).data)
            else:
                out.text(f"{timezone.localtime():%H:%M:%S}  {in_words(now)}")
        if now.is_over:
            return now
        time.sleep(LOOK_SECONDS)


def wait_for(upgrade: Upgrade) -> None:
    """The upgrade is over."""
    while upgrade.finished_at is None:
        time.sleep(LOOK_SECONDS)
        upgrade.refresh_from_db()


def refuse_other_than_success(upgrade: Upgrade) -> None:
    """Nothing, or CommandError with what the upgrade ended in."""
    if upgrade.outcome != Outcome.SUCCEEDED:
        raise CommandError(ending(upgrade))


def ending(upgrade: Upgrade) -> str:
    """How the upgrade ended, in words; empty while it is not over."""
    if upgrade.finished_at is None or not upgrade.outcome:
        return ""
    sentence = SENTENCES[Outcome(upgrade.outcome)]
    return f"{upgrade} ({short(upgrade)}): {sentence} {upgrade.error}".rstrip()


def in_words(found: Counts) -> str:
    """The counts that are not nought."""
    parts = {"waiting": found.waiting, "running": found.running, **found.outcomes}
    said = [f"{count} {word.replace('_', ' ')}" for word, count in parts.items() if count]
    return ", ".join(said) or "no upgrades"


def _line(event: UpgradeEvent) -> str:
    if event.kind == UpgradeEvent.Kind.OUTPUT:
        return "\n".join(f"          | {line}" for line in event.text.splitlines())
    at = f"{timezone.localtime(event.at):%H:%M:%S}"
    if event.kind == UpgradeEvent.Kind.ARROW:
        return f"{at}  {event.to_state.replace('_', ' '):<20}{event.text}".rstrip()
    return f"{at}  {event.text}"
